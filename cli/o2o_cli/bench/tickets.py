"""Made-up orders as tickets for the printers' benchmark, and how a receipt is compared with its order (A14).

Decides what the orders are (by number and seed alone, so that whoever reads the paper knows what was sent) and what
"the same" is: order number, every dish with its count and amount, the sums and the total, and the printer that it was
for. Bytes are the platform's own renderer's.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from o2o_devices.mechanism import Profile
from o2o_devices.paper import Paper
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder, parse
from o2o_domain.ticket_names import dish_name
from o2o_platform.printing.media.escpos import render

DISHES = (
    "宫保鸡丁(微辣)", "手撕包菜", "米饭(大份)", "酸辣土豆丝", "冰镇酸梅汤 500ml", "麻婆豆腐(少油, 不要葱)", "鱼香肉丝",
    "回锅肉(加辣)", "番茄炒蛋", "红烧牛肉面(宽面)", "小笼包 8只", "皮蛋瘦肉粥", "可口可乐 330ml", "蒜蓉西兰花",
    "水煮鱼片(中辣)",
)  # fmt: skip
NOTES = ("", "少放辣, 不要香菜", "放门口, 不要敲门", "多给一双筷子", "到了打电话")
MOST_EXAMPLES = 5


def order(number: int, seed: int) -> TicketOrder:
    """The order of a number: six to nine dishes."""
    chance = random.Random(f"{seed}/{number}")
    names = chance.sample(DISHES, chance.randint(6, 9))
    lines = tuple(
        Line(place, name, chance.randint(1, 3), chance.randrange(300, 6000, 50)) for place, name in enumerate(names)
    )
    items = sum(line.qty * line.unit_fen for line in lines)
    discount, fee = chance.choice((0, 0, 200, 500)), chance.choice((0, 300, 450))
    return TicketOrder(
        order_no=f"26{number:08d}",
        merchant_name="老王川菜馆（文一路店）",
        lines=lines,
        items_fen=items,
        discount_fen=discount,
        delivery_fee_fen=fee,
        total_fen=items - discount + fee,
        note=chance.choice(NOTES),
        phone_masked="138****5678",
        address="西湖区文一路 1 号 3 幢 2 单元 ***",
        placed_at_text="11-22 11:45",
    )


def columns_of(profile: Profile) -> Literal[32, 48]:
    """The ticket's width for a model: 48 columns if they fit, else 32 (42 columns are not a ticket's width)."""
    return 48 if profile.columns >= 48 else 32


def ticket(number: int, seed: int, columns: Literal[32, 48]) -> bytes:
    """Its bytes, about 1 kB."""
    made = order(number, seed)
    return render(made, columns, f"https://o2o.example/o/{made.order_no}")


@dataclass
class Verdict:
    """What the paper says of `sent` tickets."""

    sent: int
    right: int = 0
    missing: int = 0
    doubled: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Every ticket once, on its printer, word for word."""
        return self.right == self.sent and not (self.missing or self.doubled or self.wrong)

    def note(self, what: str) -> None:
        """Keep a few examples of what is not right."""
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(what)


def judge(papers: Iterable[Paper], sent_to: list[int], seed: int) -> Verdict:
    """Read every receipt back to its order. `sent_to`: by number of the order, the printer that it was sent to."""
    verdict = Verdict(len(sent_to))
    seen = [0] * len(sent_to)
    for paper in papers:
        why, number = _read(paper, sent_to, seed)
        if number is not None:
            seen[number] += 1
        if why:
            verdict.wrong += 1
            verdict.note(f"printer {paper.printer_id}: {why}")
    for number, times in enumerate(seen):
        if times == 0:
            verdict.missing += 1
            verdict.note(f"order {number} is on no paper")
        elif times > 1:
            verdict.doubled += 1
            verdict.note(f"order {number} is on {times} papers")
    verdict.right = sum(times == 1 for times in seen) - verdict.wrong
    return verdict


def _read(paper: Paper, sent_to: list[int], seed: int) -> tuple[str, int | None]:
    """(what is wrong or "", the order's number if it can be read)."""
    found = parse(paper.lines)
    text = found.order_no or ""
    number = int(text[2:]) if len(text) == 10 and text.startswith("26") and text[2:].isdecimal() else None
    if number is None or number >= len(sent_to):
        return f"no order of ours is read off it ({text or 'no number'})", None
    wanted = order(number, seed)
    lines = tuple((dish_name(line.name), line.qty) for line in wanted.lines)
    amounts = tuple(line.qty * line.unit_fen for line in wanted.lines)
    problems = [
        what
        for what, same in (
            ("the receipt is not whole", paper.complete and found.complete and paper.unknown == 0),
            ("the dishes differ", found.lines == lines and found.line_fen == amounts),
            ("the total differs", found.total_fen == wanted.total_fen and found.items_fen == wanted.items_fen),
            ("it is on another printer", paper.printer_id == sent_to[number]),
            ("the code differs", paper.qr == [f"https://o2o.example/o/{wanted.order_no}"]),
        )
        if not same
    ]
    return (f"order {number}: {', '.join(problems)}" if problems else ""), number
