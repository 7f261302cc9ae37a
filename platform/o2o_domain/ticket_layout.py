"""The ticket as lines of text, and the way back from the paper to the order (A14: "ticket bytes parse back").

Decides what stands where on a 32 (58 mm) or 48 (80 mm) column ticket, and how a ticket is read. Leaves names and
masks to `ticket_names`, fonts, GB18030 bytes, QR code and cut to the platform's renderers, paper to the printers.

The large number is the order's own. A number of the shop's day ("#17") would be shorter, but it would be one more row
that all orders of a shop wait for on the hot path, and two numbers for one order are one too many at the counter.

Why reading is unambiguous whatever users write: text that people typed is never at column 0 without one of our labels
in front of it or a price behind it; its continuation lines are indented. So a line at column 0 is always ours:

    O2O 外卖                         platform, big, centred
    #W0000017                        order number, big, centred
    补打 1 / REPRINT 1                only on copies: copy_no 2 is the first reprint
    送达：11-22 12:46                 when the delivery is promised, if it is
    备注：不要香菜                     note, where the kitchen looks first; left out when empty
    商家：…   时间：…                  merchant, when it was ordered
    --------------------------------
    菜品             数量       金额
    宫保鸡丁           x2   ￥36.00    dish: name, pieces, amount; a long name goes on, indented
      (微辣, 少放花生)                  its options (规格, 口味), always on a line of their own, indented
    --------------------------------
    地址：…   电话：…                  address and phone, masked; left out when empty
    --------------------------------
    小计 1种2份            ￥36.00    items sum, kinds and pieces
    优惠 / 配送费 / 合计               discount (only if any), delivery fee, total (big)
    完 END #W0000017                 end marker: without it the ticket is incomplete
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from o2o_domain.errors import DomainError
from o2o_domain.money import yuan
from o2o_domain.pricing import Line
from o2o_domain.ticket_names import dish_name, parted
from o2o_domain.ticket_text import columns, on_paper, wrap

PLATFORM_NAME = "O2O 外卖"

Style = Literal["big", "bold", "plain"]
Align = Literal["left", "center"]

_ORDER_NO = re.compile(r"[0-9A-Za-z-]{1,24}\Z")
# Figures read off the paper are bounded, so that no garbage makes a number that int() refuses to read.
_REPRINT = re.compile(r"补打 (\d{1,9}) / REPRINT \1\Z")
_ITEMS = re.compile(r"小计 (\d{1,9})种(\d{1,9})份 +(￥\S+)\Z")
_END = "完 END #"


@dataclass(frozen=True, slots=True)
class TicketOrder:
    """What a ticket says. `lines` carry options as part of the name (`dish_options` reads them); `address` and
    `phone_masked` are printed as they are: mask them before. `copy_no` 1 is the first copy, 2 a reprint.

    Raises DomainError for an order_no that is not 1..24 of 0-9 A-Z a-z "-", or a copy_no below 1.
    """

    order_no: str
    merchant_name: str
    lines: tuple[Line, ...]
    items_fen: int
    discount_fen: int
    delivery_fee_fen: int
    total_fen: int
    note: str = ""
    phone_masked: str = ""
    address: str = ""
    placed_at_text: str = ""
    copy_no: int = 1
    due_text: str = ""
    """When delivery is promised; not printed when empty."""

    def __post_init__(self) -> None:
        if not _ORDER_NO.match(self.order_no):
            raise DomainError(f"order number {self.order_no!r} must be 1 to 24 of 0-9, A-Z, a-z and '-'")
        if self.copy_no < 1:
            raise DomainError(f"copy number {self.copy_no} must be 1 or more")


class TicketLine(NamedTuple):
    """One line for the printer. `big` is double width and height, so it holds half the columns.

    A named tuple, not a dataclass: a city prints millions of them, and it is built five times as fast.
    """

    text: str
    style: Style = "plain"
    align: Align = "left"


@dataclass(frozen=True, slots=True)
class ParsedTicket:
    """What was read off the paper; None or "" for what was not found.

    `lines` are (name, qty) with names as `dish_name` prints them, `line_fen` their amounts. `complete`: head, dishes,
    sums and end marker are all there and agree (amounts sum to the items, kinds and pieces match, items - discount
    + fee = total). Texts are as `on_paper` prints them. A discount that is not printed is 0 on a complete ticket.
    """

    order_no: str | None
    copy_no: int | None
    lines: tuple[tuple[str, int], ...]
    total_fen: int | None
    complete: bool
    line_fen: tuple[int, ...] = ()
    items_fen: int | None = None
    discount_fen: int | None = None
    delivery_fee_fen: int | None = None
    merchant_name: str = ""
    placed_at_text: str = ""
    due_text: str = ""
    note: str = ""
    address: str = ""
    phone_masked: str = ""


@lru_cache(maxsize=32_768)
def _dish_lines(name: str, room: int, width: int) -> tuple[str, tuple[TicketLine, ...]]:
    """A name's first line, `room` columns wide, and the lines that follow it.

    Menus repeat in a city's orders, so most names are cleaned, measured and broken once.
    """
    dish, tail = parted(dish_name(name))
    chunks = wrap(dish, room, width - 2)
    first = chunks[0] + " " * (room - columns(chunks[0]))
    if tail:
        chunks += wrap(tail, width - 2, width - 2)
    return first, tuple([TicketLine("  " + chunk, "bold") for chunk in chunks[1:]])


_HEAD_LABELS = ("商家：", "时间：", "送达：", "备注：")
_FOOT_LABELS = ("地址：", "电话：")
_LABELS = (*_HEAD_LABELS, *_FOOT_LABELS)
_PLATFORM = TicketLine(PLATFORM_NAME, "big", "center")
_RULES = {width: TicketLine("-" * width) for width in (32, 48)}
_HEADS = {width: TicketLine("菜品" + " " * (width - 17) + "数量" + " " * 5 + "金额") for width in (32, 48)}


def _spread(left: str, right: str, room: int) -> str:
    return left + " " * max(1, room - columns(left) - columns(right)) + right


def _labelled(out: list[TicketLine], label: str, text: str, width: int, style: Style) -> None:
    text = on_paper(text)
    if not text:
        return
    if columns(label) + columns(text) <= width:
        out.append(TicketLine(label + text, style))
        return
    chunks = wrap(text, width - columns(label), width - 2)
    out.append(TicketLine(label + chunks[0], style))
    out.extend([TicketLine("  " + chunk, style) for chunk in chunks[1:]])


def layout(order: TicketOrder, width_cols: int = 48) -> tuple[TicketLine, ...]:
    """The ticket's lines for a printer of `width_cols` columns (32 or 48). Raises DomainError for another width.

    No line is wider than width_cols (big ones: half of it); none is empty.
    """
    rule = _RULES.get(width_cols)
    if rule is None:
        raise DomainError(f"ticket width {width_cols} columns is not one of 32, 48")
    half = width_cols // 2
    number = "#" + order.order_no
    out = [_PLATFORM, TicketLine(number, "big" if len(number) <= half else "bold", "center")]
    if order.copy_no > 1:
        again = order.copy_no - 1
        out.append(TicketLine(f"补打 {again} / REPRINT {again}", "bold", "center"))
    _labelled(out, "送达：", order.due_text, width_cols, "bold")
    _labelled(out, "备注：", order.note, width_cols, "bold")
    _labelled(out, "商家：", order.merchant_name, width_cols, "bold")
    _labelled(out, "时间：", order.placed_at_text, width_cols, "plain")
    out.append(rule)
    out.append(_HEADS[width_cols])
    pieces = 0
    for line in order.lines:
        qty = line.qty
        pieces += qty
        tail = f" {'x' + str(qty):>3} {yuan(qty * line.unit_fen):>9}"
        # U+FFE5 is the tail's only wide character.
        first, more = _dish_lines(line.name, width_cols - len(tail) - 1, width_cols)
        out.append(TicketLine(first + tail, "bold"))
        out += more
    out.append(rule)
    before = len(out)
    _labelled(out, "地址：", order.address, width_cols, "plain")
    _labelled(out, "电话：", order.phone_masked, width_cols, "plain")
    if len(out) > before:
        out.append(rule)
    out.append(TicketLine(_spread(f"小计 {len(order.lines)}种{pieces}份", yuan(order.items_fen), width_cols)))
    if order.discount_fen:
        out.append(TicketLine(_spread("优惠", yuan(-order.discount_fen), width_cols)))
    out.append(TicketLine(_spread("配送费", yuan(order.delivery_fee_fen), width_cols)))
    total = yuan(order.total_fen)
    fits = len(total) + 6 <= half
    out.append(TicketLine(_spread("合计", total, half if fits else width_cols), "big" if fits else "bold"))
    out.append(TicketLine(_END + order.order_no, "plain", "center"))
    return tuple(out)


def _amount(text: str) -> int | None:
    sign = -1 if text[:1] == "-" else 1
    whole, dot, part = text[2 if sign < 0 else 1 :].partition(".")
    if not (dot and len(part) == 2 and len(whole) < 16 and whole.isdecimal() and part.isdecimal()):
        return None
    return sign * (int(whole) * 100 + int(part))


def parse(text_lines: Sequence[str]) -> ParsedTicket:
    """Read a ticket from the lines of one receipt (styles and trailing spaces lost, blank lines ignored).

    Never raises: what is cut off or garbled is None, missing from `lines`, or makes `complete` False. When a receipt
    holds the beginning of a ticket and then a whole one (a cut that never came), the last one is read.
    """
    starts = [index for index, text in enumerate(text_lines) if text.rstrip() == PLATFORM_NAME]
    if not starts:  # a device may have set centred lines by padding them
        starts = [index for index, text in enumerate(text_lines) if text.strip() == PLATFORM_NAME][:1]
        if not starts:
            return ParsedTicket(None, None, (), None, False)
    lines = iter(text_lines[starts[-1] + 1 :])
    texts = dict.fromkeys(_LABELS, "")
    order_no: str | None = None
    copy_no = 1
    label = ""  # from the first one on, an indented line is text that people typed
    for text in lines:
        if text[:3] == "---":
            break
        if text[:3] in _HEAD_LABELS:
            label = text[:3]
            texts[label] = text[3:].rstrip()
        elif label:
            if text[:2] == "  ":
                texts[label] += text[2:].rstrip()
        else:
            text = text.strip()
            if text[:1] == "#" and _ORDER_NO.match(text[1:]):
                order_no = text[1:]
            elif mark := _REPRINT.match(text):
                copy_no = int(mark[1]) + 1
    names: list[str] = []
    counts: list[int] = []
    amounts: list[int] = []
    pieces = 0
    sound = order_no is not None
    for text in lines:
        if text[:2] == "  ":
            if names:
                names[-1] += text[2:].rstrip()
            continue
        cells = text.rsplit(None, 2)
        if (
            len(cells) == 3
            and cells[2][0] == "￥"
            and cells[1][0] == "x"
            and cells[1][1:].isdecimal()
            and len(cells[1]) < 10
        ):
            qty, amount = int(cells[1][1:]), _amount(cells[2])
            if amount is None:
                sound = False
                continue
            names.append(cells[0])
            counts.append(qty)
            pieces += qty
            amounts.append(amount)
        elif text[:3] == "---":
            break
        elif text and text[:2] != "菜品":
            sound = False
    items = discount = fee = total = None
    end = f"{_END}{order_no}"
    ended = False
    label = ""
    for text in lines:
        first = text[:2]
        if total is not None:
            if text.strip() == end:
                ended = True
                break
        elif text[:3] in _FOOT_LABELS:
            label = text[:3]
            texts[label] = text[3:].rstrip()
        elif first == "  ":
            if label:
                texts[label] += text[2:].rstrip()
        elif first == "小计":
            label = ""
            if found := _ITEMS.match(text.rstrip()):
                items = _amount(found[3])
                sound = sound and int(found[1]) == len(names) and int(found[2]) == pieces
        elif first == "优惠":
            discount = _amount(text.split()[-1])
        elif first == "配送":
            fee = _amount(text.split()[-1])
        elif first == "合计":
            total = _amount(text.split()[-1])
    complete = (
        sound
        and ended
        and bool(names)
        and items == sum(amounts)
        and total is not None
        and fee is not None
        and items + (discount or 0) + fee == total
    )
    return ParsedTicket(
        order_no,
        copy_no if order_no is not None else None,
        tuple(zip(names, counts, strict=True)),
        total,
        complete,
        tuple(amounts),
        items,
        0 if complete and discount is None else None if discount is None else -discount,
        fee,
        *[texts[label] for label in _LABELS],
    )
