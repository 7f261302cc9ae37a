"""A ticket in the markup of the Chinese vendors' clouds: text with tags, which the vendor's printer sets (A14).

Decides which tags a ticket uses, and that nothing that people typed is ever one. Neither vendor has an escape for "<",
so "<" and ">" of dishes, notes and addresses are printed as "＜" and "＞" (U+FF1C, U+FF1E), in every case and not only
where they would make a tag; that is done before the layout, because those are two columns wide. Leaves the layout to
`o2o_domain.ticket_layout`, and what a tag looks like on paper to the vendor's printer.

    Feie        <CB> centred, double size; <B> double size; <C> centred; <BOLD>; <BR> new line; <QR>; <CUT>
    Yilianyun   <center>; <FS2> double size; <FB> bold; line feeds; <QR>; the printer cuts behind a job by itself

Sources: Feie's published demo programs and Yilianyun's oauth-api manual, as far as docs/printers.md says that they
state it; <BOLD>, <FB>, how tags nest, and who cuts are our choice where it does not.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from o2o_domain.ticket_layout import TicketLine, TicketOrder, layout
from o2o_domain.ticket_text import on_paper

LOOKALIKES = {"<": "＜", ">": "＞"}
"""What is printed for the characters that tags are made of."""
_SAFE = str.maketrans(LOOKALIKES)
_TYPED = tuple(field.name for field in fields(TicketOrder) if field.type in ("str", str) and field.name != "order_no")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's tags: what stands before and behind a line of each look, (style, align) -> (before, behind)."""

    looks: dict[tuple[str, str], tuple[str, str]]
    line_end: str
    qr: tuple[str, str]
    foot: str = ""
    """At the end of a job."""


FEIE = Dialect(
    looks={
        ("plain", "left"): ("", ""),
        ("plain", "center"): ("<C>", "</C>"),
        ("bold", "left"): ("<BOLD>", "</BOLD>"),
        ("bold", "center"): ("<C><BOLD>", "</BOLD></C>"),
        ("big", "left"): ("<B>", "</B>"),
        ("big", "center"): ("<CB>", "</CB>"),
    },
    line_end="<BR>",
    qr=("<QR>", "</QR>"),
    foot="<CUT>",
)
YILIANYUN = Dialect(
    looks={
        ("plain", "left"): ("", ""),
        ("plain", "center"): ("<center>", "</center>"),
        ("bold", "left"): ("<FB>", "</FB>"),
        ("bold", "center"): ("<center><FB>", "</FB></center>"),
        ("big", "left"): ("<FS2>", "</FS2>"),
        ("big", "center"): ("<center><FS2>", "</FS2></center>"),
    },
    line_end="\n",
    qr=("<QR>", "</QR>"),
)


def feie(order: TicketOrder, width_cols: Literal[32, 48], qr: str) -> bytes:
    """The ticket as Feie takes it, UTF-8."""
    return _render(FEIE, order, width_cols, qr)


def yilianyun(order: TicketOrder, width_cols: Literal[32, 48], qr: str) -> bytes:
    """The ticket as Yilianyun takes it, UTF-8."""
    return _render(YILIANYUN, order, width_cols, qr)


def shown(text: str) -> str:
    """A typed text as it comes off such a printer: compare orders with receipts in this form."""
    return on_paper(text).translate(_SAFE)


def _render(dialect: Dialect, order: TicketOrder, width_cols: Literal[32, 48], qr: str) -> bytes:
    out: list[str] = []
    for line in _lines(order, width_cols):
        before, behind = dialect.looks[line.style, line.align]
        out += (before, line.text, behind, dialect.line_end)
    if qr:
        before, behind = dialect.qr
        out += (before, qr.replace("<", "%3C").replace(">", "%3E"), behind, dialect.line_end)
    out.append(dialect.foot)
    return "".join(out).encode()


def _lines(order: TicketOrder, width_cols: Literal[32, 48]) -> tuple[TicketLine, ...]:
    """The layout, without any "<" or ">"."""
    lines = layout(order, width_cols)
    if any("<" in line.text or ">" in line.text for line in lines):  # hardly ever
        typed: dict[str, Any] = {name: shown(getattr(order, name)) for name in _TYPED}
        dishes = tuple(replace(line, name=shown(line.name)) for line in order.lines)
        lines = layout(replace(order, lines=dishes, **typed), width_cols)
    return lines
