"""Paper in a file: written when it is out, read back whole, also after a process was cut off in mid-line."""

from __future__ import annotations

from pathlib import Path

import pytest

from o2o_devices.chances import Chances, parse_shares
from o2o_devices.errors import ControlError
from o2o_devices.paper import PaperJournal, read_paper
from o2o_devices.receipt import Receipt, ReceiptLine


def receipt(text: str, **more: object) -> Receipt:
    lines = (ReceiptLine(text, end_mm=4.0), ReceiptLine("https://o2o/1", kind="qr", end_mm=30.0))
    return Receipt(lines, 42.0, "full", **more)  # type: ignore[arg-type]


def test_paper_is_read_back_as_it_came_out(tmp_path: Path) -> None:
    path = tmp_path / "paper.jsonl"
    assert list(read_paper(path)) == []
    journal = PaperJournal(path)
    journal.note(3, receipt("订单 0001"), 1700000000.25)
    journal.note(4, receipt("订单 0002", stopped_by="paper_end"), 1700000001.5)
    one, two = read_paper(path)  # nothing has to be closed for it to be there
    assert (one.printer_id, one.at, one.complete, one.lines) == (3, 1700000000.25, True, ["订单 0001"])
    assert (one.qr, one.cut, one.length_mm, one.text) == (["https://o2o/1"], "full", 42.0, "订单 0001")
    assert (two.complete, two.stopped_by) == (False, "paper_end")
    journal.close()


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "paper.jsonl"
    journal = PaperJournal(path)
    journal.note(1, receipt("one"), 1.0)
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"printer_id":2,"at":2.0,"comp')
    journal = PaperJournal(path)
    journal.note(3, receipt("three"), 3.0)
    journal.close()
    assert [paper.printer_id for paper in read_paper(path)] == [1, 3]


def test_chances_are_the_seeds_and_come_out_as_their_shares() -> None:
    shares = parse_shares("paper_end=0.1,lost_ack=0.2")
    draw, again, other = Chances(shares, seed=1), Chances(shares, seed=1), Chances(shares, seed=2)
    faults = [draw(printer, ticket) for printer in range(20) for ticket in range(200)]
    assert faults == [again(printer, ticket) for printer in range(20) for ticket in range(200)]
    assert faults != [other(printer, ticket) for printer in range(20) for ticket in range(200)]
    kinds = [fault.kind for fault in faults if fault is not None]
    assert kinds.count("paper_end") / len(faults) == pytest.approx(0.1, abs=0.02)
    assert kinds.count("lost_ack") / len(faults) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paper_ned=0.1", "no such printer fault: 'paper_ned'"),
        ("paper_end", "write FAULT=SHARE"),
        ("paper_end=much", "write FAULT=SHARE"),
        ("paper_end=1.5", "a share from 0 to 1"),
        ("paper_end=0.6,offline=0.6", "sum to more than 1"),
    ],
)
def test_bad_shares_are_told(text: str, message: str) -> None:
    with pytest.raises(ControlError, match=message):
        Chances(parse_shares(text))
