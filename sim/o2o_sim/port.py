"""The port between the city's actors and a platform: the calls, the replies and the inboxes, in both worlds.

Decides what an actor may ask of a platform and what a platform may tell an actor. Leaves *how* to two adapters: in the
model `o2o_sim.platform_model`, live an HTTP client of `o2o_loadtest` whose event loop steps the same SimPy environment.

Rules that hold in this file:
- `env.now` is run seconds since the run's epoch in both worlds (live: a wall second, whatever `clock.speed` is);
- a call returns a `simpy.Event` of that environment at once; it succeeds with a `Reply` later, never fails, and never
  promises a reply in zero time. Statuses are HTTP's: 2xx done; 409 someone else decided first; 403, 404, 422 refused;
  503 overloaded and 0 (no answer) may be tried again, so every call is idempotent for the same arguments;
- ids are the scenario's: an `order_id` is the trace's intent_id; a live adapter maps them to the platform's own;
- a message names an order only; what the order holds (dishes, drop-off, kitchen time) an actor reads from the trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from simpy import Event, Store


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: an HTTP status (0: no answer at all) and the decoded JSON body.

    Bodies: `open_leads` answers {"leads": [{"lead_id", "lat", "lng", "stage", "visits"}, ...]}, nearest first, and
    `my_leads` the same, first what drops first, with `due_in_s` (run seconds until it drops if nothing happens to it);
    any refusal is {"error": {"code", "detail"}}; of other calls only the status counts.
    """

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the platform did what was asked (2xx)."""
        return 200 <= self.status < 300

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed later: overloaded (429, 502, 503, 504) or no answer (0)."""
        return self.status in (0, 429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class TicketOnPaper:
    """To a merchant: a ticket of this order came out of its printer (live, the virtual printer itself puts this)."""

    order_id: int
    copy_no: int = 1


@dataclass(frozen=True, slots=True)
class AppNotice:
    """To a merchant: the order's ticket is late or uncertain, the platform rang (`level`: app | sms | phone)."""

    order_id: int
    level: str = "app"


@dataclass(frozen=True, slots=True)
class TicketWaiting:
    """To a merchant's app: a ticket of this order is to be printed by whoever looks (A14, age app_printer)."""

    order_id: int
    at: float
    """Run second at which the app rang."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """To a rider: fetch this order at this merchant and bring it to the drop-off of its intent."""

    order_id: int
    merchant_id: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """To a rider: the order was cancelled; what was fetched is thrown away, and the rider is free again."""

    order_id: int


@dataclass(frozen=True, slots=True)
class ShiftOver:
    """A rider's own alarm clock, put into its own inbox at the end of its shift; no platform sends it."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """To the users: this order reached its user, who may review it."""

    order_id: int


@dataclass(frozen=True, slots=True)
class VoucherIssued:
    """To the users: the deal of this order was paid, its voucher may be redeemed at its merchant."""

    order_id: int


MerchantMessage: TypeAlias = TicketOnPaper | AppNotice
RiderMessage: TypeAlias = Assignment | Withdrawn | ShiftOver
UserMessage: TypeAlias = Delivered | VoucherIssued


class AttachedPrinters(Protocol):
    """The printers that stand beside the merchants' apps: the merchant's own, and no platform's."""

    def trouble(self, merchant_id: int, order_id: int) -> str | None:
        """Why the printer cannot print the order's ticket now, as its app shows it; None: it can."""
        ...

    def put_out(self, merchant_id: int, order_id: int, job: Any) -> Event:
        """Print what `fetch_ticket` gave: succeeds with None when it is on paper, with a code when it will not be.

        Never succeeds when the printer's answer is lost.
        """
        ...


class Platform(Protocol):
    """What merchants, riders, BDs and users can ask of a platform; every call returns an Event with a Reply."""

    # Merchants. `ready` before the reply of `accept` is not asked for by any actor.
    def accept(self, merchant_id: int, order_id: int) -> Event:
        """Take the order; the platform now looks for a rider. 409: no longer to be taken (cancelled, already taken)."""
        ...

    def reject(self, merchant_id: int, order_id: int, reason: str) -> Event:
        """Refuse a paid order; the platform pays it back. 409: no longer to be refused."""
        ...

    def ready(self, merchant_id: int, order_id: int) -> Event:
        """The dishes stand on the counter. 409: cancelled meanwhile."""
        ...

    def redeem(self, merchant_id: int, order_id: int) -> Event:
        """Redeem the voucher of a deal order at this merchant. 409: already redeemed, refunded or expired."""
        ...

    # The merchant's app with an attached printer (A14). Other printers' tickets are not the app's: 404.
    def next_ticket(self, merchant_id: int) -> Event:
        """What is to be printed next: {"token", "order_id"}, the same until it is fetched; 204: nothing now."""
        ...

    def fetch_ticket(self, merchant_id: int, token: str) -> Event:
        """Take the ticket that was shown: {"job"}, for the attached printer. 409: overtaken, look again."""
        ...

    def ticket_result(self, merchant_id: int, token: str, code: str | None) -> Event:
        """How the printing went: None, it is on paper; else why it is not and will not be. May be repeated."""
        ...

    # Riders.
    def rider_online(self, rider_id: int, lat: float, lng: float, speed_kmh: float) -> Event:
        """Begin to take orders, free at this place (degrees)."""
        ...

    def rider_offline(self, rider_id: int) -> Event:
        """Take no more orders. 409: an assignment is under way, finish it first (it is in the inbox or will be)."""
        ...

    def picked_up(self, rider_id: int, order_id: int) -> Event:
        """The rider left the merchant with the order. 409: withdrawn."""
        ...

    def delivered(self, rider_id: int, order_id: int, lat: float, lng: float) -> Event:
        """The order is with its user; the rider is free at this place (degrees) afterwards. 409: withdrawn."""
        ...

    # Users.
    def review(self, user_id: int, order_id: int, stars: int) -> Event:
        """Review a delivered order, 1 to 5 stars. 409: reviewed before."""
        ...

    # BDs (C6-C8, C13).
    def open_leads(self, bd_id: int, lat: float, lng: float, k: int) -> Event:
        """The k nearest leads of the public pool."""
        ...

    def my_leads(self, bd_id: int) -> Event:
        """The leads in this BD's private pool."""
        ...

    def claim(self, bd_id: int, lead_id: int) -> Event:
        """Take a lead into the private pool. 409: owned already (even by this BD), signed, or the quota is reached."""
        ...

    def visit(self, bd_id: int, lead_id: int, lat: float, lng: float, note: str) -> Event:
        """Check in a visit at this place (degrees). 403: not this BD's lead; 409: too far from it, or signed."""
        ...

    def sign(self, bd_id: int, lead_id: int) -> Event:
        """The lead signed a contract. 403: not this BD's lead; 409: never visited."""
        ...

    def extend(self, bd_id: int, lead_id: int) -> Event:
        """Lengthen the protection of an own lead (C8). 409: no extension left."""
        ...

    # Inboxes: one Store each, made on first use, the same object for the same id ever after.
    def merchant_inbox(self, merchant_id: int) -> Store:
        """MerchantMessages to one merchant."""
        ...

    def app_inbox(self, merchant_id: int) -> Store:
        """TicketWaiting to a merchant's app."""
        ...

    def rider_inbox(self, rider_id: int) -> Store:
        """RiderMessages to one rider."""
        ...

    def users_inbox(self) -> Store:
        """UserMessages to all users: one inbox, the intent names the user."""
        ...
