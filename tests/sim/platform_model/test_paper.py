"""The modelled ticket is as long as the one that the platform's renderer draws on the same mechanism (A14)."""

from __future__ import annotations

import pytest

from o2o_devices.escpos.events import Cut
from o2o_devices.escpos.interpreter import Interpreter
from o2o_devices.mechanism import PROFILES, Mechanism
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder, layout
from o2o_platform.printing.media.escpos import render
from o2o_sim.printers.paper import lines_within, ticket_mm

ORDER = TicketOrder(
    *("00000001", "川味小厨", (Line(1, "宫保鸡丁(微辣)", 2, 1800), Line(2, "米饭", 1, 200)), 3800, 500, 300, 3600),
    *("不要辣，多放醋，少放盐，谢谢老板，麻烦快一点", "138****0001", "3区40号", "11:00"),
)


@pytest.mark.parametrize(("width", "cols"), [("80mm", 48), ("58mm", 32)])
def test_length_is_that_of_the_rendered_bytes(width, cols):
    profile = PROFILES[width]
    _, events = Interpreter(profile).feed(render(ORDER, cols, "http://127.0.0.1:8000/orders/123456"), 0.0)
    cut = next(event for event in events if isinstance(event, Cut))
    assert ticket_mm(Mechanism(profile), layout(ORDER, cols)) == pytest.approx(cut.mm)


def test_lines_on_the_part_of_a_ticket_that_came_out():
    profile, lines = PROFILES["80mm"], layout(ORDER, 48)
    assert lines_within(profile, lines, 0.0) == 0
    assert lines_within(profile, lines, 6.0) == 1  # the platform's name in big letters
    assert lines_within(profile, lines, 12.0 + 3.75) == 3
    assert lines_within(profile, lines, 1000.0) == len(lines)
