"""Order desk: a user's journey from the intent to a committed order, and every way an order ends early (A13, A4).

Decides when each step happens (workers, payment times, the deadline) and applies what the rules decide: hours, price,
stock, coupon, payment, order states. Printing, riders and vouchers are the other desks'.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from simpy import Event

from o2o_domain import deals, payments
from o2o_domain.deals import Bought
from o2o_domain.geo import haversine_m
from o2o_domain.hours import is_open
from o2o_domain.orders import OrderEvent, OrderState, step
from o2o_domain.payments import Apply, PaymentEvent
from o2o_domain.pricing import FeePolicy, Quote, price
from o2o_domain.refusal import Refused
from o2o_sim.platform_model.books import Books
from o2o_sim.platform_model.catalogue import Catalogue
from o2o_sim.platform_model.coupon_book import CouponBook
from o2o_sim.platform_model.deadlines import Deadlines
from o2o_sim.platform_model.desk import Desk
from o2o_sim.platform_model.records import Order, Payment
from o2o_sim.platform_model.stock_room import StockRoom

POST_NAME = {"order": "POST /orders", "deal": "POST /deals/{id}/buy"}


class OrderDesk:
    """Takes orders. `on_committed(order)` is called when a paid order (or deal) is committed."""

    def __init__(
        self,
        desk: Desk,
        catalogue: Catalogue,
        stock: StockRoom,
        coupons: CouponBook,
        books: Books,
        on_committed: Callable[[Order], None],
    ) -> None:
        self.arrivals = 0
        """Intents so far."""
        self.in_flight = 0
        """Orders taken and not ended."""
        self.sold: dict[int, int] = dict.fromkeys(catalogue.deals, 0)
        """Pieces sold, by deal_id."""
        self._desk = desk
        self._catalogue = catalogue
        self._stock = stock
        self._coupons = coupons
        self._books = books
        self._on_committed = on_committed
        fees = desk.scenario.fees
        self._fees = FeePolicy(
            fees.delivery_base_fen,
            fees.delivery_free_over_fen,
            fees.delivery_per_km_fen,
            fees.delivery_free_km,
            fees.commission_share,
        )
        self._unpaid = Deadlines[Order](
            desk.env,
            desk.scenario.platform.payment.deadline_s,
            is_open=lambda order: order.state is OrderState.PENDING_PAYMENT,
            overdue=self._not_paid,
        )

    def arrive(self, order: Order) -> None:
        """A user means to order now, and sends it now: the model's users are never late."""
        self.arrivals += 1
        order.sent = self._desk.env.now
        self._desk.work(self._desk.service.accept[order.order_id], partial(self._take, order))

    def find(self, order_id: int) -> Order:
        """The order of an intent, whether it has arrived yet or not."""
        return self._catalogue.orders[order_id]

    def step(self, order: Order, event: OrderEvent) -> Refused | None:
        """Take the order one step on by the domain's table; returns the table's no."""
        before = order.state
        assert before is not None
        after = step(order.kind, before, event)
        if self._desk.decisions is not None:
            self._desk.decisions.note("orders.step", {"kind": order.kind, "state": before, "event": event}, after)
        if isinstance(after, Refused):
            return after
        order.state = after
        return None

    def cancel(self, order: Order, event: OrderEvent, reason: str) -> Refused | None:
        """End a paid order before its time: money, stock and coupon go back."""
        refused = self.step(order, event)
        if refused is not None:
            return refused
        self._books.refund(order, str(order.state))
        self._give_up(order, reason)
        return None

    def end(self, order: Order) -> None:
        """The order reached its good end: the merchant's share is due."""
        self._books.settle(order)
        order.closed = self._desk.env.now
        if order.kind == "order":  # a deal was settled when its voucher was issued
            self.in_flight -= 1

    def _take(self, order: Order, _: Event) -> None:
        """The worker is done: decide, and answer the user."""
        now = self._desk.env.now
        quote = self._quote_deal(order) if order.kind == "deal" else self._quote_takeout(order)
        refused = quote if isinstance(quote, Refused) else None
        status = 201 if refused is None else (422 if refused.code.startswith("bad_") else 409)
        self._desk.requests.append(
            (
                order.order_id,
                "user",
                POST_NAME[order.kind],
                order.intended,
                now,
                status,
                None if refused is None else refused.code,
            )
        )
        if isinstance(quote, Refused):
            order.state = OrderState.REFUSED
            order.reason = quote.code
            order.closed = now
            return
        order.quote = quote
        order.state = OrderState.PENDING_PAYMENT
        order.accepted = now
        self.in_flight += 1
        payment = self._books.request(order)
        self._unpaid.watch(order)
        self._desk.later(self._catalogue.pay_confirm_s[order.order_id], partial(self._confirmed, payment))

    def _quote_takeout(self, order: Order) -> Quote | Refused:
        """Hours, price, stock, coupon; the first no ends it, and nothing is held then."""
        merchant = self._desk.city.merchants[order.merchant_id]
        order.lines = lines = self._catalogue.lines(order.order_id)
        hours = {"open_min": merchant.open_min, "close_min": merchant.close_min}
        opened = is_open(**hours, minute_of_day=self._desk.minute_of_day)
        if self._desk.decisions is not None:
            facts: dict[str, Any] = {**hours, "minute_of_day": self._desk.minute_of_day}
            self._desk.decisions.note("hours.is_open", facts, opened)
        if not opened:
            return Refused("closed", merchant.name)
        distance_m = haversine_m(merchant.lat, merchant.lng, order.drop_lat, order.drop_lng)
        quote = price(lines, fees=self._fees, distance_m=distance_m)
        if isinstance(quote, Quote):
            sold_out = self._stock.take(lines)
            if sold_out is not None:
                return sold_out
            discount_fen = self._coupons.apply(order, quote.items_fen)
            if discount_fen:
                quote = price(lines, fees=self._fees, distance_m=distance_m, discount_fen=discount_fen)
        else:
            discount_fen = 0
        if self._desk.decisions is not None:
            facts = {"lines": lines, "fees": self._fees, "distance_m": distance_m, "discount_fen": discount_fen}
            self._desk.decisions.note("pricing.price", facts, quote)
        return quote

    def _quote_deal(self, order: Order) -> Quote | Refused:
        deal = self._catalogue.deals.get(order.deal_id if order.deal_id is not None else -1)
        if deal is None:
            return Refused("unknown_deal", str(order.deal_id))
        facts: dict[str, Any] = {"deal": deal, "sold": self.sold[deal.deal_id], "qty": 1, "now": self._desk.env.now}
        bought = deals.buy(**facts)
        if self._desk.decisions is not None:
            self._desk.decisions.note("deals.buy", facts, bought)
        if not isinstance(bought, Bought):
            return bought
        self.sold[deal.deal_id] = bought.sold
        return bought.quote

    def _confirmed(self, payment: Payment, _: Event) -> None:
        """The user confirmed at the provider, which takes the money or refuses, and calls back later."""
        order_id = payment.order.order_id
        payment.confirmed = self._desk.env.now
        if self._catalogue.pay_refused[order_id]:
            payment.provider_state = "refused"
        else:
            payment.provider_state = "paid"
            payment.provider_fen = payment.amount_fen
        self._desk.later(self._catalogue.pay_callback_s[order_id], partial(self._called_back, payment))

    def _called_back(self, payment: Payment, _: Event) -> None:
        payment.callback = self._desk.env.now
        self._desk.work(self._desk.service.commit[payment.order.order_id], partial(self._commit, payment))

    def _commit(self, payment: Payment, _: Event) -> None:
        """One transaction: payment, order, ledger, ticket and outbox."""
        order, ok = payment.order, payment.provider_state == "paid"
        facts = {"amount_due": payment.amount_fen, "amount": payment.provider_fen or 0, "ok": ok}
        verdict = payments.on_callback(
            payment.state, amount_due=payment.amount_fen, amount=payment.provider_fen or 0, ok=ok
        )
        if self._desk.decisions is not None:
            self._desk.decisions.note("payments.on_callback", {"state": payment.state, **facts}, verdict)
        if not isinstance(verdict, Apply):
            return
        if verdict.event is PaymentEvent.REFUSE:
            self._books.move(payment, PaymentEvent.REFUSE)
            if self.step(order, OrderEvent.PAY_REFUSED) is None:
                self._give_up(order, "payment_refused")
            return
        self._books.paid(payment)
        if verdict.then_refund:  # the money came after the deadline: the order stays closed
            self._books.refund(order, "late_payment")
            return
        refused = self.step(order, OrderEvent.PAY)
        assert refused is None, (order.order_id, refused)
        order.paid = payment.callback
        order.committed = self._desk.env.now
        if order.kind == "deal":
            self.in_flight -= 1
        self._on_committed(order)

    def _not_paid(self, order: Order) -> None:
        """The deadline passed."""
        if self.step(order, OrderEvent.PAY_TIMEOUT) is None:
            self._books.move(self._books.payment(order), PaymentEvent.EXPIRE)
            self._give_up(order, "unpaid")

    def _give_up(self, order: Order, reason: str) -> None:
        """What the order held goes back."""
        order.reason = reason
        order.closed = self._desk.env.now
        self.in_flight -= 1
        if order.kind == "deal":
            assert order.deal_id is not None
            self.sold[order.deal_id] -= 1
        else:
            self._stock.put_back(order.lines)
            self._coupons.give_back(order)
