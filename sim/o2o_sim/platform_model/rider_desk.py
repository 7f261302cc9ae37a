"""Rider desk: who is on line, which rider takes which order, and what becomes of an order without one (A13, S8).

Decides when the domain's rules are asked: `choose_rider` when a merchant accepts, `next_for` when a rider becomes free,
`give_up` when an order without a rider has waited for the scenario's patience. The ways are the riders'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from simpy import Event, Store

from o2o_domain import dispatch
from o2o_domain.dispatch import Assigned, Candidate, DispatchPolicy, Pickup
from o2o_domain.orders import OrderEvent
from o2o_sim.platform_model.deadlines import Deadlines
from o2o_sim.platform_model.desk import OK, Desk, refusal
from o2o_sim.platform_model.nearby import Nearby
from o2o_sim.platform_model.order_desk import OrderDesk
from o2o_sim.platform_model.records import Order
from o2o_sim.port import Assignment, Delivered, Reply

LEAST_SEARCH_M = 50.0
"""Riders are looked for within this straight-line distance at least, then within twice as much, and so on."""
NOT_YOURS = Reply(403, {"error": {"code": "not_yours", "detail": ""}})
"""The order is another rider's, or nobody's."""


@dataclass(slots=True)
class _OnLine:
    lat: float
    lng: float
    speed_kmh: float
    served: int = 0
    order: Order | None = None
    leaving: bool = False
    """His shift is over: the order in hand is his last."""


class RiderDesk:
    """Riders on line, and orders waiting for one."""

    def __init__(
        self,
        desk: Desk,
        orders: OrderDesk,
        rider_inbox: Callable[[int], Store],
        users: Store,
    ) -> None:
        self.waiting: dict[int, Pickup] = {}
        """Orders without a rider, by order_id, the longest waiting first."""
        self.free = Nearby()
        self._on_line: dict[int, _OnLine] = {}
        self._search_m = LEAST_SEARCH_M
        self._desk = desk
        self._orders = orders
        self._inbox = rider_inbox
        self._users = users
        spec = desk.scenario.dispatch
        self._policy = DispatchPolicy(spec.rule, spec.max_radius_m)
        self._patience_s = desk.tempo.run_s(spec.patience_s)
        self._patience = Deadlines[Order](
            desk.env,
            self._patience_s,
            is_open=lambda order: order.order_id in self.waiting,
            overdue=self._no_rider,
        )

    def seek(self, order: Order) -> None:
        """The merchant took the order: find a rider, or let it wait for one."""
        rider_id = self._nearest(order) if self._policy.rule == "nearest" else self._ask(order, self.free.all())[0]
        if rider_id is None:
            merchant = self._desk.city.merchants[order.merchant_id]
            self.waiting[order.order_id] = Pickup(order.order_id, merchant.lat, merchant.lng)
            self._patience.watch(order)
        else:
            self._assign(rider_id, order)

    def online(self, rider_id: int, lat: float, lng: float, speed_kmh: float) -> Event:
        """A rider comes on shift."""

        def decide() -> Reply:
            if rider_id not in self._on_line:
                rider = self._on_line[rider_id] = _OnLine(lat, lng, speed_kmh)
                self._free(rider_id, rider)
            return OK

        return self._desk.request("rider", "POST /riders/me/online", None, self._desk.service.other(), decide)

    def offline(self, rider_id: int) -> Event:
        """A rider's shift is over: he is given no more orders, and goes when the one in hand, if any, is done."""

        def decide() -> Reply:
            rider = self._on_line.get(rider_id)
            if rider is None:
                return OK
            if rider.order is not None:
                rider.leaving = True
                return Reply(409, {"error": {"code": "assigned", "detail": str(rider.order.order_id)}})
            del self._on_line[rider_id]
            if not rider.leaving:
                self.free.remove(rider_id)
            return OK

        return self._desk.request("rider", "POST /riders/me/offline", None, self._desk.service.other(), decide)

    def picked_up(self, rider_id: int, order_id: int) -> Event:
        """The rider left the merchant."""
        decide = partial(self._picked_up, rider_id, order_id)
        service_s = self._desk.service.event["picked_up"][order_id]
        return self._desk.request("rider", "POST /orders/{id}/picked_up", order_id, service_s, decide)

    def delivered(self, rider_id: int, order_id: int, lat: float, lng: float) -> Event:
        """The order is with its user."""
        decide = partial(self._delivered, rider_id, order_id, lat, lng)
        service_s = self._desk.service.event["delivered"][order_id]
        return self._desk.request("rider", "POST /orders/{id}/delivered", order_id, service_s, decide)

    def _picked_up(self, rider_id: int, order_id: int) -> Reply:
        order = self._orders.find(order_id)
        if order.rider_id != rider_id:
            return NOT_YOURS
        refused = self._orders.step(order, OrderEvent.PICK_UP)
        if refused is not None:
            return refusal(refused)
        order.picked_up = self._desk.env.now
        return OK

    def _delivered(self, rider_id: int, order_id: int, lat: float, lng: float) -> Reply:
        order = self._orders.find(order_id)
        if order.rider_id != rider_id:
            return NOT_YOURS
        refused = self._orders.step(order, OrderEvent.DELIVER)
        if refused is not None:
            return refusal(refused)
        order.delivered = self._desk.env.now
        self._orders.end(order)
        self._users.put(Delivered(order_id))
        rider = self._on_line[rider_id]
        rider.lat, rider.lng, rider.order = lat, lng, None
        rider.served += 1
        self._free(rider_id, rider)
        return OK

    def _free(self, rider_id: int, rider: _OnLine) -> None:
        """A rider has no order: the longest waiting order that the rule gives him, if any."""
        if rider.leaving:
            return
        candidate = Candidate(rider_id, rider.lat, rider.lng, 0, rider.speed_kmh, rider.served)
        self.free.add(candidate)
        if not self.waiting:
            return
        chosen = dispatch.next_for(candidate, self.waiting.values(), self._policy)
        if self._desk.decisions is not None:
            facts = {"rider": candidate, "waiting": tuple(self.waiting.values()), "policy": self._policy}
            self._desk.decisions.note("dispatch.next_for", facts, chosen)
        if chosen is not None:
            del self.waiting[chosen]
            self._assign(rider_id, self._orders.find(chosen))

    def _nearest(self, order: Order) -> int | None:
        """Ask the rule about the riders around, then farther out; a choice within the radius searched is final.

        Where to begin is learned from how far away the last ones were: it saves time and changes no choice.
        """
        merchant = self._desk.city.merchants[order.merchant_id]
        metres = self._search_m
        while metres < self._policy.max_radius_m:
            rider_id, distance_m = self._ask(order, self.free.nearest(merchant.lat, merchant.lng, metres))
            if rider_id is not None and distance_m <= metres:
                self._search_m = max(0.5 * self._search_m + distance_m, LEAST_SEARCH_M)
                return rider_id
            metres *= 2.0
        return self._ask(order, self.free.nearest(merchant.lat, merchant.lng, metres))[0]

    def _ask(self, order: Order, candidates: Sequence[Candidate]) -> tuple[int | None, float]:
        """The rule's choice among these riders, and how far away it is."""
        merchant = self._desk.city.merchants[order.merchant_id]
        pickup = (merchant.lat, merchant.lng)
        choice = dispatch.choose_rider(pickup, candidates, self._policy)
        if self._desk.decisions is not None:
            facts = {"pickup": pickup, "candidates": candidates, "policy": self._policy}
            self._desk.decisions.note("dispatch.choose_rider", facts, choice)
        return (choice.rider_id, choice.distance_m) if isinstance(choice, Assigned) else (None, 0.0)

    def _assign(self, rider_id: int, order: Order) -> None:
        self.free.remove(rider_id)
        self._on_line[rider_id].order = order
        order.rider_id = rider_id
        order.assigned = self._desk.env.now
        self._inbox(rider_id).put(Assignment(order.order_id, order.merchant_id))

    def _no_rider(self, order: Order) -> None:
        """Patience is over."""
        assert order.cooking is not None  # since then it has been waiting
        facts = {"waiting_since": order.cooking, "patience_s": self._patience_s, "now": self._desk.env.now}
        over = dispatch.give_up(**facts)
        if self._desk.decisions is not None:
            self._desk.decisions.note("dispatch.give_up", facts, over)
        if over and self._orders.cancel(order, OrderEvent.NO_RIDER, "no_rider") is None:
            self.waiting.pop(order.order_id, None)
