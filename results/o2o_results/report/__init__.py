"""Reports: one self-contained HTML file of one or two runs, or of a comparison of variants."""

from o2o_results.report.compare_report import write_compare_report
from o2o_results.report.page import write_report

__all__ = ["write_compare_report", "write_report"]
