"""What a ticket is printed from: one row of its table, its order's and its merchant's."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple, cast

import msgspec

from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder
from o2o_domain.ticket_names import mask_address, mask_phone


class Job(NamedTuple):
    """A ticket, all that is printed on it, and where its printer is. `lines` is JSON as in the table of orders."""

    ticket_id: int
    order_id: int
    order_ref: str
    user_id: int
    merchant_id: int
    copy_no: int
    state: str
    order_no: str
    lines: str
    items_fen: int
    discount_fen: int
    delivery_fee_fen: int
    total_fen: int
    note: str | None
    phone: str | None
    address: str | None
    accepted: float
    promised: float | None
    merchant_name: str
    printer: str | None
    """Its address (o2o_domain.printers); None: there is none."""
    printer_cols: int

    @property
    def width(self) -> Literal[32, 48]:
        """Columns of the paper."""
        return cast(Literal[32, 48], self.printer_cols)

    def told(self) -> dict[str, Any]:
        """What every event of the ticket says."""
        return {
            "ticket_id": self.ticket_id,
            "order_id": self.order_id,
            "order_ref": self.order_ref,
            "user_id": self.user_id,
            "merchant_id": self.merchant_id,
            "copy_no": self.copy_no,
        }


_lines = msgspec.json.Decoder(list[tuple[int, str, int, int]])


@lru_cache(maxsize=1024)
def _minute(number: int) -> str:
    return f"{datetime.fromtimestamp(number * 60, UTC):%m-%d %H:%M}"


def _clock_text(at: float) -> str:
    """ "11-22 11:45:09" of unix seconds; dates are worked out once a minute."""
    seconds = int(at // 1)
    return f"{_minute(seconds // 60)}:{seconds % 60:02d}"


def ticket_of(job: Job, timezone_offset_s: int) -> TicketOrder:
    """What is printed."""
    return TicketOrder(
        order_no=job.order_no,
        merchant_name=job.merchant_name,
        lines=tuple([Line(*fields) for fields in _lines.decode(job.lines)]),
        items_fen=job.items_fen,
        discount_fen=job.discount_fen,
        delivery_fee_fen=job.delivery_fee_fen,
        total_fen=job.total_fen,
        note=job.note or "",
        phone_masked=mask_phone(job.phone) if job.phone else "",
        address=mask_address(job.address) if job.address else "",
        placed_at_text=_clock_text(job.accepted + timezone_offset_s),
        copy_no=job.copy_no,
        due_text="" if job.promised is None else _minute(int(job.promised + timezone_offset_s) // 60),
    )
