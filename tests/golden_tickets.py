"""Writes the golden receipts of today's layout, after it was changed on purpose:

    python tests/golden_tickets.py takeout-2026-11

The files of earlier layouts stay: their bytes must print for ever what they printed. Look at what it writes before it
is committed.
"""

import sys
from pathlib import Path
from typing import Literal

from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_58, GENERIC_80, Profile
from o2o_devices.show import as_text
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder
from o2o_domain.ticket_names import mask_address, mask_phone
from o2o_platform.printing.media.escpos import render

GOLDEN = Path(__file__).parent / "devices" / "golden"
ASK_DONE = b"\x1d(H\x06\x0000\x00\x00\x00\x07"
PAPERS: tuple[tuple[str, Profile, Literal[32, 48]], ...] = (("58mm", GENERIC_58, 32), ("80mm", GENERIC_80, 48))


def order() -> TicketOrder:
    """A second copy with everything that a ticket can have, and characters that no printer has."""
    lines = (
        Line(1, "宫保鸡丁(微辣, 少放花生)", 2, 1800),
        Line(2, "𠮷野家牛肉饭（大份/加一个溏心蛋/不要洋葱/汤汁多一点）", 1, 3280),
        Line(3, "Coca-Cola 330ml", 3, 350),
        Line(4, "一份名字很长很长很长很长的招牌双人套餐", 1, 12800),
    )
    items = sum(line.qty * line.unit_fen for line in lines)
    return TicketOrder(
        order_no="W0000005",
        merchant_name="老王川菜馆（文一路店）",
        lines=lines,
        items_fen=items,
        discount_fen=500,
        delivery_fee_fen=300,
        total_fen=items - 200,
        note="少放辣😀, 不要香菜, 到付\u00a55, 放门口",
        phone_masked=mask_phone("13812345678"),
        address=mask_address("西湖区文一路 1 号 3 幢 2 单元 501"),
        placed_at_text="11-22 11:45:09",
        copy_no=2,
        due_text="11-22 12:30",
    )


def main(name: str) -> None:
    """Write bytes and text of both widths."""
    for width, profile, cols in PAPERS:
        data = render(order(), cols, "https://o2o.example/o/W0000005") + ASK_DONE
        (GOLDEN / f"{name}-{width}.bin").write_bytes(data)
        (paper,) = [event.receipt for event in Interpreter(profile).feed(data)[1] if isinstance(event, Cut)]
        (GOLDEN / f"{name}-{width}.txt").write_text(as_text(paper, profile) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
