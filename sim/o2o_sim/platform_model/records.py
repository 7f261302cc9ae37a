"""Records: the modelled platform's rows in memory, one object an order, ticket, payment or voucher.

Decides which facts are kept; the fields are those of the run tables (o2o_results.tables), times are run seconds, money
is fen. What changes them, and when, is left to the desks.
"""

from __future__ import annotations

from dataclasses import dataclass

from o2o_domain.coupons import CouponState
from o2o_domain.deals import VoucherState
from o2o_domain.orders import OrderState
from o2o_domain.payments import PaymentState
from o2o_domain.pricing import Line, Quote
from o2o_domain.risk import RiskVerdict
from o2o_domain.ticket_layout import TicketLine
from o2o_domain.tickets import Escalation, TicketState

NO_QUOTE = Quote(0, 0, 0, 0)


@dataclass(slots=True, eq=False)
class Order:
    """An intent and what became of it. `state` None: it has not reached the platform (yet)."""

    order_id: int
    kind: str
    user_id: int
    segment: str
    merchant_id: int
    deal_id: int | None
    wanted_coupon: str | None
    drop_lat: float
    drop_lng: float
    intended: float
    state: OrderState | None = None
    reason: str | None = None
    lines: tuple[Line, ...] = ()
    quote: Quote = NO_QUOTE
    coupon_code: str | None = None
    coupon_refused: str | None = None
    coupon_state: CouponState | None = None
    risk: RiskVerdict | None = None
    rider_id: int | None = None
    sent: float | None = None
    accepted: float | None = None
    paid: float | None = None
    committed: float | None = None
    published: float | None = None
    cooking: float | None = None
    ready: float | None = None
    assigned: float | None = None
    picked_up: float | None = None
    delivered: float | None = None
    closed: float | None = None
    paid_fen: int = 0
    refunded_fen: int = 0
    stars: int = 0
    ticket: Ticket | None = None

    @property
    def order_no(self) -> str:
        """The number that stands on the ticket: that of the order, from 1, in eight digits."""
        return f"{self.order_id + 1:08d}"


@dataclass(slots=True, eq=False)
class Ticket:
    """The first copy of an order's ticket (nothing in the model asks for a reprint)."""

    order: Order
    queued: float
    state: TicketState = TicketState.QUEUED
    code: str | None = None
    attempts: int = 0
    claimed: float | None = None
    rendered: float | None = None
    delivered_to_printer: float | None = None
    printed: float | None = None
    escalation: Escalation | None = None
    layout: tuple[TicketLine, ...] = ()
    met: MetFault | None = None


@dataclass(slots=True, eq=False)
class MetFault:
    """What a printer says of a fault that a ticket met (the run table `printer_faults`)."""

    order: Order
    kind: str
    at: float
    until: float
    answered: float | None = None


@dataclass(slots=True, eq=False)
class Payment:
    """Both sides of the one payment of an order."""

    order: Order
    amount_fen: int
    requested: float
    by_balance: bool = False
    state: PaymentState = PaymentState.REQUESTED
    confirmed: float | None = None
    callback: float | None = None
    disputed: float | None = None
    taken_fen: int = 0
    """What the books say was taken, fen."""
    refund_fen: int = 0
    """What the books say is owed back."""
    provider_state: str | None = None
    provider_fen: int | None = None
    provider_refunded_fen: int | None = None


@dataclass(slots=True, eq=False)
class Voucher:
    """The voucher of a paid deal."""

    order: Order
    issued: float
    valid_until: float
    state: VoucherState = VoucherState.ISSUED
    redeemed: float | None = None
    redemptions: int = 0


@dataclass(slots=True, eq=False)
class Receipt:
    """A piece of paper as the printer put it out."""

    printer_id: int
    printed: float
    length_mm: float
    text_lines: tuple[str, ...]
