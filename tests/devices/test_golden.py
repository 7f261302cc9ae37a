"""Golden receipts: tickets of ours as they were sent one day, and what is on the paper.

`golden/ticket-*.bin` are bytes, `.txt` the receipt as `o2o printers show` prints it. The layout of tickets may change;
what these bytes print may not.
"""

from pathlib import Path

import pytest

from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut, ProcessId
from o2o_devices.mechanism import GENERIC_58, GENERIC_80, Profile
from o2o_devices.show import as_text

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize(("name", "profile"), [("ticket-80mm", GENERIC_80), ("ticket-58mm", GENERIC_58)])
@pytest.mark.parametrize("keep_images", [False, True])
def test_golden_receipts(name: str, profile: Profile, keep_images: bool) -> None:
    data = (GOLDEN / f"{name}.bin").read_bytes()
    events = Interpreter(profile, keep_images=keep_images).feed(data)[1]
    assert [type(event) for event in events] == [Cut, ProcessId]
    assert isinstance(events[0], Cut)
    paper = events[0].receipt
    assert as_text(paper, profile) + "\n" == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert paper.qr == ("https://o2o.example/o/261122000005",)
    assert (paper.unknown, paper.complete) == (0, True)
