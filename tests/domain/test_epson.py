"""What an Epson printer's codes and bits mean (A14): the manuals' tables, one by one."""

from __future__ import annotations

import pytest

from o2o_domain.epson import CODES, HOLD_S, Asb, Judged, Verdict, held, judge, told, trouble

MANUAL = (  # ePOS-Print XML User's Manual, TM-U220 page 68
    "EPTR_AUTOMATICAL", "EPTR_BATTERY_LOW", "EPTR_COVER_OPEN", "EPTR_CUTTER", "EPTR_MECHANICAL", "EPTR_REC_EMPTY",
    "EPTR_UNRECOVERABLE", "SchemaError", "DeviceNotFound", "PrintSystemError", "EX_BADPORT", "EX_TIMEOUT", "EX_SPOOLER",
    "JobNotFound", "Printing",
)  # fmt: skip


def test_every_code_of_the_manual_is_judged_and_no_other() -> None:
    assert set(CODES) == set(MANUAL)


def test_success_is_paper_whatever_the_code() -> None:
    assert judge(True, "") == judge(True, "EX_TIMEOUT") == Judged(Verdict.PRINTED)


@pytest.mark.parametrize(
    "code", ["EX_TIMEOUT", "EX_BADPORT", "PrintSystemError", "JobNotFound", "", "EPTR_NEW", "x" * 99]
)
def test_what_leaves_paper_open_is_never_a_failure(code: str) -> None:
    assert judge(False, code).verdict == Verdict.UNKNOWN


def test_no_result_without_success_means_printed() -> None:
    assert all(judge(False, code).verdict != Verdict.PRINTED for code in CODES)


def test_a_job_that_is_being_printed_is_waited_for() -> None:
    assert judge(False, "Printing") == Judged(Verdict.WAITING)


def test_codes_fit_the_column_of_tickets() -> None:
    assert all(len(judged.code) <= 32 for judged in CODES.values())
    assert all(judged.code for code, judged in CODES.items() if code != "Printing")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (251658262, None),  # the manual's success: 0x0F000016
        (251854870, None),  # another one: 0x0F030016, paper near its end
        (0x0F00003C, "cover_open"),  # the manual's status notification
        (1, "no_response"),  # the manual's EX_BADPORT
        (0x0F0A001C, "paper_end"),
        (0x0F00081C, "cutter"),
        (0x0F00041C, "mechanical"),
        (0x0F00201C, "error"),
        (0x0F00401C, "overheated"),
        (0x0F00001C, "offline"),
        (0x8F000014, "spooler"),
        (0, None),
    ],
)
def test_status_words(word: int, says: str | None) -> None:
    assert trouble(word) == says


def test_status_words_for_people() -> None:
    assert told(251854870) == "near_end"
    assert told(251658262) == "ok"
    assert told(251854870 | Asb.PAPER_END) == "paper_end"


def test_trouble_is_believed_for_so_long_and_wellness_at_once() -> None:
    assert held("paper_end", 100.0, 100.0)
    assert held("paper_end", 100.0, 100.0 + HOLD_S - 0.001)
    assert not held("paper_end", 100.0, 100.0 + HOLD_S)
    assert not held(None, 100.0, 100.0)
