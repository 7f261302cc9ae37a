"""The modelled platform behind the port: desks around the domain's rules, queues and inboxes, all in one process.

Decides how the desks are joined and answers merchants and users itself. What each desk does stands in its own module;
when the run's intents arrive is decided here by the trace alone (open workload: arrivals wait for nobody).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TypeAlias

from simpy import Environment, Event, Store

from o2o_domain import reviews
from o2o_domain.notification import Age, by_hand
from o2o_domain.orders import OrderEvent
from o2o_domain.refusal import Refused
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.model import City
from o2o_sim.demand.clock import effective_clock
from o2o_sim.notification.app import AppDesk
from o2o_sim.notification.app_print_desk import AppPrintDesk
from o2o_sim.notification.draws import PeopleDraws
from o2o_sim.notification.hand_desk import HandDesk
from o2o_sim.notification.phone import PhoneDesk
from o2o_sim.platform_model.books import Books
from o2o_sim.platform_model.catalogue import Catalogue
from o2o_sim.platform_model.coupon_book import CouponBook
from o2o_sim.platform_model.desk import NOT_FOUND, OK, DecisionLog, Desk, refusal
from o2o_sim.platform_model.helper_desk import HelperDesk
from o2o_sim.platform_model.inbox import Inbox
from o2o_sim.platform_model.lead_desk import LeadDesk
from o2o_sim.platform_model.order_desk import OrderDesk
from o2o_sim.platform_model.print_desk import PrintDesk
from o2o_sim.platform_model.records import Order
from o2o_sim.platform_model.rider_desk import RiderDesk
from o2o_sim.platform_model.service_times import ServiceTimes
from o2o_sim.platform_model.stock_room import StockRoom
from o2o_sim.platform_model.voucher_desk import VoucherDesk
from o2o_sim.port import AttachedPrinters, Reply
from o2o_sim.printers.faults import FaultDraws
from o2o_sim.tempo import Tempo

_Act: TypeAlias = Callable[[Order], Reply]


class PlatformModel:
    """Implements `o2o_sim.port.Platform` on the simulated clock. `run` is the process that lets the intents arrive."""

    def __init__(
        self, env: Environment, scenario: Scenario, city: City, trace: Trace, tempo: Tempo, *, decisions: bool = False
    ) -> None:
        n = len(trace)
        log = DecisionLog(env) if decisions else None
        service = ServiceTimes(scenario.platform, scenario.seed, n)
        start_min, _ = effective_clock(scenario)
        self.desk = desk = Desk(env, scenario, city, tempo, start_min, service, log)
        self._users = Inbox(env)
        self._merchants = [Inbox(env) for _ in city.merchants]
        self._apps = [Inbox(env) for _ in city.merchants]
        self._riders = [Inbox(env) for _ in city.riders]
        self.catalogue = Catalogue(city, trace, tempo)
        self.records = self.catalogue.orders
        self.stock = StockRoom(city, log)
        self.coupons = CouponBook(scenario.coupons, log)
        self.books = Books(desk)
        self.helpers = HelperDesk(desk, self.catalogue) if scenario.platform.helpers else None
        self.orders = OrderDesk(
            desk, self.catalogue, self.stock, self.coupons, self.books, self._committed, self.helpers
        )
        faults = FaultDraws(scenario.printing.faults, scenario.seed, n)
        self.printing: PrintDesk | HandDesk
        if by_hand(age := Age(scenario.printing.age)):
            people = PeopleDraws(scenario.printing.staff, scenario.seed, n)
            by = PhoneDesk if age is Age.PHONE else AppDesk
            self.printing = by(desk, people, self.merchant_inbox)
        elif age is Age.APP_PRINTER:
            self.printing = AppPrintDesk(desk, self.catalogue, faults, self.merchant_inbox, self.app_inbox)
        else:
            self.printing = PrintDesk(desk, self.catalogue, faults, self.merchant_inbox)
        self.riders = RiderDesk(desk, self.orders, self.rider_inbox, self._users)
        self.vouchers = VoucherDesk(desk, self.catalogue, self.orders, self._users)
        self.leads = LeadDesk(desk)
        self.open_leads = self.leads.open_leads
        self.my_leads = self.leads.my_leads
        self.claim = self.leads.claim
        self.visit = self.leads.visit
        self.sign = self.leads.sign
        self.extend = self.leads.extend
        self.rider_online = self.riders.online
        self.rider_offline = self.riders.offline
        self.picked_up = self.riders.picked_up
        self.delivered = self.riders.delivered
        self.redeem = self.vouchers.redeem

    def run(self) -> Generator[Event, object, None]:
        """Let every intent arrive at its time."""
        env, arrive = self.desk.env, self.orders.arrive
        for order in self.records:
            delay = order.intended - env.now
            if delay > 0.0:
                yield env.timeout(delay)
            arrive(order)

    def accept(self, merchant_id: int, order_id: int) -> Event:
        """The merchant takes the order; a rider is sought."""
        return self._of_merchant("accept", merchant_id, order_id, self._accept)

    def reject(self, merchant_id: int, order_id: int, reason: str) -> Event:
        """The merchant refuses the order, which is paid back."""
        return self._of_merchant("reject", merchant_id, order_id, partial(self._reject, reason))

    def ready(self, merchant_id: int, order_id: int) -> Event:
        """The dishes stand on the counter."""
        return self._of_merchant("ready", merchant_id, order_id, self._ready)

    @property
    def attached(self) -> AttachedPrinters | None:
        """The printers beside the merchants' apps, in the age that has them."""
        return self.printing.attached if isinstance(self.printing, AppPrintDesk) else None

    def next_ticket(self, merchant_id: int) -> Event:
        """What the merchant's app is to print next."""
        return self._app_desk.next_ticket(merchant_id)

    def fetch_ticket(self, merchant_id: int, token: str) -> Event:
        """The app takes a ticket."""
        return self._app_desk.fetch_ticket(merchant_id, token)

    def ticket_result(self, merchant_id: int, token: str, code: str | None) -> Event:
        """The app tells how printing went."""
        return self._app_desk.ticket_result(merchant_id, token, code)

    @property
    def _app_desk(self) -> AppPrintDesk:
        assert isinstance(self.printing, AppPrintDesk), "no app prints in this age"
        return self.printing

    def review(self, user_id: int, order_id: int, stars: int) -> Event:
        """A user reviews what was delivered to him."""

        def decide() -> Reply:
            order = self.records[order_id]
            if order.user_id != user_id or order.state is None:
                return NOT_FOUND
            if order.stars:
                return Reply(409, {"error": {"code": "already_reviewed", "detail": str(order_id)}})
            verdict = reviews.review(stars, order.state)
            if self.desk.decisions is not None:
                self.desk.decisions.note("reviews.review", {"stars": stars, "state": order.state}, verdict)
            if isinstance(verdict, Refused):
                return refusal(verdict)
            order.stars = verdict.stars
            return OK

        service_s = self.desk.service.event["review"][order_id]
        return self.desk.request("user", "POST /orders/{id}/review", order_id, service_s, decide)

    def merchant_inbox(self, merchant_id: int) -> Store:
        """Messages to a merchant."""
        return self._merchants[merchant_id]

    def app_inbox(self, merchant_id: int) -> Store:
        """Tickets that a merchant's app rings for."""
        return self._apps[merchant_id]

    def rider_inbox(self, rider_id: int) -> Store:
        """Messages to a rider."""
        return self._riders[rider_id]

    def users_inbox(self) -> Store:
        """Messages to all users."""
        return self._users

    def _of_merchant(self, name: str, merchant_id: int, order_id: int, act: _Act) -> Event:
        def decide() -> Reply:
            order = self.records[order_id]
            return act(order) if order.merchant_id == merchant_id and order.state is not None else NOT_FOUND

        service_s = self.desk.service.event[name][order_id]
        return self.desk.request("merchant", f"POST /orders/{{id}}/{name}", order_id, service_s, decide)

    def _accept(self, order: Order) -> Reply:
        refused = self.orders.step(order, OrderEvent.ACCEPT)
        if refused is not None:
            return refusal(refused)
        order.cooking = self.desk.env.now
        self.riders.seek(order)
        return OK

    def _reject(self, reason: str, order: Order) -> Reply:
        refused = self.orders.cancel(order, OrderEvent.REJECT, reason)
        return OK if refused is None else refusal(refused)

    def _ready(self, order: Order) -> Reply:
        refused = self.orders.step(order, OrderEvent.READY)
        if refused is not None:
            return refusal(refused)
        order.ready = self.desk.env.now
        return OK

    def _committed(self, order: Order) -> None:
        if order.kind == "deal":
            self.vouchers.issue(order)
        else:
            self.printing.committed(order)
