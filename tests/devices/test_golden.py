"""Golden receipts: tickets of ours as they were sent one day, and what is on the paper.

`golden/*.bin` are bytes, `.txt` the receipt as `o2o printers show` prints it. The layout of tickets may change (then
`tests/golden_tickets.py` writes further ones); what these bytes print may not. The newest are today's layout (A14).
"""

from pathlib import Path
from typing import Literal

import pytest

import golden_tickets
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut, ProcessId
from o2o_devices.mechanism import GENERIC_58, GENERIC_80, Profile
from o2o_devices.show import as_text
from o2o_domain.ticket_layout import parse
from o2o_domain.ticket_names import dish_name, dish_options
from o2o_platform.printing.media.escpos import render

GOLDEN = Path(__file__).with_name("golden")


NEWEST = "takeout-2026-11"
PAPERS = [
    ("ticket-80mm", GENERIC_80, "261122000005"),
    ("ticket-58mm", GENERIC_58, "261122000005"),
    (f"{NEWEST}-80mm", GENERIC_80, "W0000005"),
    (f"{NEWEST}-58mm", GENERIC_58, "W0000005"),
]


@pytest.mark.parametrize(("name", "profile", "number"), PAPERS)
@pytest.mark.parametrize("keep_images", [False, True])
def test_golden_receipts(name: str, profile: Profile, number: str, keep_images: bool) -> None:
    data = (GOLDEN / f"{name}.bin").read_bytes()
    events = Interpreter(profile, keep_images=keep_images).feed(data)[1]
    assert [type(event) for event in events] == [Cut, ProcessId]
    assert isinstance(events[0], Cut)
    paper = events[0].receipt
    assert as_text(paper, profile) + "\n" == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert paper.qr == (f"https://o2o.example/o/{number}",)
    assert (paper.unknown, paper.complete) == (0, True)


@pytest.mark.parametrize(("width", "cols"), [("58mm", 32), ("80mm", 48)])
def test_the_newest_are_what_is_sent_today(width: str, cols: Literal[32, 48]) -> None:
    sent = (GOLDEN / f"{NEWEST}-{width}.bin").read_bytes()
    assert sent == render(golden_tickets.order(), cols, "https://o2o.example/o/W0000005") + golden_tickets.ASK_DONE


@pytest.mark.parametrize("profile", [GENERIC_58, GENERIC_80])
def test_the_newest_is_read_back_whole(profile: Profile) -> None:
    data = (GOLDEN / f"{NEWEST}-{'58mm' if profile is GENERIC_58 else '80mm'}.bin").read_bytes()
    (paper,) = [event.receipt for event in Interpreter(profile).feed(data)[1] if isinstance(event, Cut)]
    order = golden_tickets.order()
    read = parse(paper.text_lines)
    assert read.complete
    assert (read.order_no, read.copy_no, read.due_text) == ("W0000005", 2, "11-22 12:30")
    assert read.lines == tuple((dish_name(line.name), line.qty) for line in order.lines)
    assert dish_options(read.lines[0][0]) == ("宫保鸡丁", ("微辣", "少放花生"))
    assert (read.note, read.address) == ("少放辣〓, 不要香菜, 到付￥5, 放门口", "西湖区文一路 1 号 3 幢 2 单元 ***")
    assert (read.phone_masked, read.discount_fen, read.total_fen) == ("138****5678", 500, order.total_fen)
