"""Reports: one self-contained HTML file of one or two runs, or of a comparison of variants."""

from o2o_results.report.page import write_report

__all__ = ["write_report"]
