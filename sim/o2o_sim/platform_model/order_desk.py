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
from o2o_domain.payments import Apply, PaymentEvent, PaymentState
from o2o_domain.pricing import FeePolicy, Quote, price
from o2o_domain.reconcile import Repair
from o2o_domain.refusal import Refused
from o2o_domain.risk import RiskVerdict
from o2o_domain.stock import Reserved
from o2o_domain.tcc import Branch, Phase
from o2o_sim.platform_model.books import Books
from o2o_sim.platform_model.catalogue import Catalogue
from o2o_sim.platform_model.coupon_book import CouponBook
from o2o_sim.platform_model.deadlines import Deadlines
from o2o_sim.platform_model.desk import Desk
from o2o_sim.platform_model.fence_book import FenceBook, WalletBook
from o2o_sim.platform_model.helper_desk import HelperDesk
from o2o_sim.platform_model.payment_faults import payment_faults
from o2o_sim.platform_model.reconcile_desk import ReconcileDesk
from o2o_sim.platform_model.records import Order, Payment
from o2o_sim.platform_model.stock_room import StockRoom

POST_NAME = {"order": "POST /orders", "deal": "POST /deals/{id}/buy"}
_STATUS = {"risk_denied": 403}
"""HTTP statuses of refusals that are neither 409 nor, when they begin with bad_, 422."""


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
        helpers: HelperDesk | None = None,
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
        self._helpers = helpers
        self.fences = FenceBook(desk.decisions)
        spec = desk.scenario.platform.payment
        self.wallets = WalletBook(catalogue.users if spec.balance_share else set(), spec.wallet_fen)
        fees = desk.scenario.fees
        self._fees = FeePolicy(
            fees.delivery_base_fen,
            fees.delivery_free_over_fen,
            fees.delivery_per_km_fen,
            fees.delivery_free_km,
            fees.commission_share,
        )
        self._faults = payment_faults(desk.scenario, len(catalogue.orders))
        self.reconciliation = ReconcileDesk(
            desk,
            {
                Repair.TAKE_PAYMENT: self._found_paid,
                Repair.REFUSE: lambda payment, _: self._refused(payment),
                Repair.REFUND_LATE: lambda payment, _: self._pay_late(payment),
                Repair.REFUND_DIFFERENCE: self._give_back_wrong,
            },
            active=bool(self._faults),
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
        if self._helpers is None or order.kind == "deal":
            self._begin(order)
        else:
            self._helpers.page(order.order_id)
            self._helpers.assess(order, partial(self._assessed, order))

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
        if self._catalogue.pay_balance[order.order_id]:
            self.wallets.credit(order.user_id, order.paid_fen)
        self._give_up(order, reason)
        return None

    def end(self, order: Order) -> None:
        """The order reached its good end: the merchant's share is due."""
        self._books.settle(order)
        order.closed = self._desk.env.now
        if order.kind == "order":  # a deal was settled when its voucher was issued
            self.in_flight -= 1

    def _begin(self, order: Order) -> None:
        self._desk.work(self._desk.service.accept[order.order_id], partial(self._take, order))

    def _assessed(self, order: Order, verdict: RiskVerdict | None) -> None:
        """Only a verdict denies an order; that there is none never does (S11)."""
        order.risk = verdict
        if verdict is RiskVerdict.DENY:
            self._answer(order, Refused("risk_denied"))
        else:
            self._begin(order)

    def _answer(self, order: Order, refused: Refused | None) -> None:
        """Answer the user; what is refused has come to its end."""
        now = self._desk.env.now
        code = None if refused is None else refused.code
        status = _STATUS.get(code or "", 422 if code and code.startswith("bad_") else 409) if code else 201
        self._desk.requests.append((order.order_id, "user", POST_NAME[order.kind], order.intended, now, status, code))
        if code is not None:
            order.state = OrderState.REFUSED
            order.reason = code
            order.closed = now

    def _take(self, order: Order, _: Event) -> None:
        """The worker is done: decide, and answer the user."""
        now = self._desk.env.now
        quote = self._quote_deal(order) if order.kind == "deal" else self._quote_takeout(order)
        self._answer(order, quote if isinstance(quote, Refused) else None)
        if isinstance(quote, Refused):
            return
        order.quote = quote
        order.state = OrderState.PENDING_PAYMENT
        order.accepted = now
        self.in_flight += 1
        by_balance = self._catalogue.pay_balance[order.order_id]
        payment = self._books.request(order, by_balance=by_balance)
        if by_balance:  # one instant: placed, reserved, confirmed and paid
            payment.confirmed = payment.callback = now
            self._pay(payment)
            return
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
        held: Reserved | None = None
        offered, discount_fen = None, 0
        if isinstance(quote, Quote):
            found = self._stock.find(lines)
            if isinstance(found, Refused):
                return found
            held = found
            offered = self._coupons.offer(order, quote.items_fen)
            discount_fen = offered or 0
            if discount_fen:
                quote = price(lines, fees=self._fees, distance_m=distance_m, discount_fen=discount_fen)
        if self._desk.decisions is not None:
            facts = {"lines": lines, "fees": self._fees, "distance_m": distance_m, "discount_fen": discount_fen}
            self._desk.decisions.note("pricing.price", facts, quote)
        if isinstance(quote, Quote) and held is not None:
            return self._reserve(order, held, offered, quote)
        return quote

    def _reserve(self, order: Order, found: Reserved, offered: int | None, quote: Quote) -> Quote | Refused:
        """Try every branch (W10); they were found able to hold, but for the wallet, so all hold or none."""
        number, by_balance = order.order_id, self._catalogue.pay_balance[order.order_id]
        if by_balance and not self.wallets.holds(order.user_id, quote.total_fen):
            return Refused("insufficient_balance")
        if self.fences.enter(number, Branch.STOCK, Phase.TRY):
            self._stock.take(found)
        if offered is not None and self.fences.enter(number, Branch.COUPON, Phase.TRY):
            self._coupons.redeem(order, offered)
        if by_balance and self.fences.enter(number, Branch.BALANCE, Phase.TRY):
            self.wallets.hold(order.user_id, quote.total_fen)
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
        total_fen = bought.quote.total_fen
        if self._catalogue.pay_balance[order.order_id]:
            if not self.wallets.holds(order.user_id, total_fen):
                return Refused("insufficient_balance")
            if self.fences.enter(order.order_id, Branch.BALANCE, Phase.TRY):
                self.wallets.hold(order.user_id, total_fen)
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
        self.reconciliation.watch(payment)
        for delay_s in self._callbacks(payment, self._catalogue.pay_callback_s[order_id]):
            self._desk.later(delay_s, partial(self._called_back, payment))

    def _callbacks(self, payment: Payment, delay_s: float) -> tuple[float, ...]:
        """After how long the provider calls back, once, twice or never; a wrong amount is taken here."""
        fault = self._faults.get(payment.order.order_id)
        if fault is None:
            return (delay_s,)
        if fault.kind == "amount_wrong" and payment.provider_fen is not None:
            payment.provider_fen = fault.taken_fen(payment.amount_fen)
        return {"lost": (), "doubled": (delay_s, delay_s)}.get(fault.kind, (delay_s + fault.late_s,))

    def _called_back(self, payment: Payment, _: Event) -> None:
        if payment.callback is None:
            payment.callback = self._desk.env.now
        self._desk.work(self._desk.service.commit[payment.order.order_id], partial(self._commit, payment))

    def _commit(self, payment: Payment, _: Event) -> None:
        """One transaction: payment, order, ledger, ticket and outbox."""
        ok = payment.provider_state == "paid"
        facts = {"amount_due": payment.amount_fen, "amount": payment.provider_fen or 0, "ok": ok}
        verdict = payments.on_callback(
            payment.state, amount_due=payment.amount_fen, amount=payment.provider_fen or 0, ok=ok
        )
        if self._desk.decisions is not None:
            self._desk.decisions.note("payments.on_callback", {"state": payment.state, **facts}, verdict)
        if not isinstance(verdict, Apply):
            return
        if verdict.event is PaymentEvent.REFUSE:
            self._refused(payment)
        elif verdict.event is PaymentEvent.DISPUTE:
            self._dispute(payment)
        elif verdict.then_refund:
            self._pay_late(payment)
        else:
            self._pay(payment)

    def _refused(self, payment: Payment) -> None:
        """The provider said no."""
        self._books.move(payment, PaymentEvent.REFUSE)
        self._end_unpaid(payment.order, "payment_refused")

    def _dispute(self, payment: Payment) -> None:
        """Another amount than due was named: the order ends, the money goes back when the statement has told."""
        self._books.move(payment, PaymentEvent.DISPUTE)
        payment.disputed = self._desk.env.now
        self._end_unpaid(payment.order, "amount_mismatch")

    def _end_unpaid(self, order: Order, reason: str) -> None:
        if order.state is OrderState.PENDING_PAYMENT and self.step(order, OrderEvent.PAY_REFUSED) is None:
            self._give_up(order, reason)

    def _pay_late(self, payment: Payment) -> None:
        """The money came when the order had ended: it stays so, and the money goes back."""
        self._books.paid(payment)
        self._books.refund(payment.order, "late_payment")

    def _found_paid(self, payment: Payment, _: int) -> None:
        """The statement told what no callback has."""
        payment.callback = self._desk.env.now
        self._pay(payment)

    def _give_back_wrong(self, payment: Payment, fen: int) -> None:
        """Another amount was taken, and goes back whole."""
        if payment.state is not PaymentState.DISPUTED:
            self._dispute(payment)
        self._books.disputed(payment, fen)

    def _pay(self, payment: Payment) -> None:
        """The money is in: what the order holds is its own."""
        order = payment.order
        self._books.paid(payment)
        refused = self.step(order, OrderEvent.PAY)
        assert refused is None, (order.order_id, refused)
        order.paid = payment.callback
        order.committed = self._desk.env.now
        for branch in self.fences.of(order.order_id):
            if self.fences.enter(order.order_id, branch, Phase.CONFIRM) and branch is Branch.BALANCE:
                self.wallets.capture(order.user_id, payment.amount_fen)
        if order.kind == "deal":
            self.in_flight -= 1
        self._on_committed(order)

    def _not_paid(self, order: Order) -> None:
        """The deadline passed."""
        if self.step(order, OrderEvent.PAY_TIMEOUT) is None:
            self._books.move(self._books.payment(order), PaymentEvent.EXPIRE)
            self._give_up(order, "unpaid")

    def _give_up(self, order: Order, reason: str) -> None:
        """What the order held goes back: cancelled if it was never paid, else as a confirmed order's."""
        order.reason = reason
        order.closed = self._desk.env.now
        self.in_flight -= 1
        if order.kind == "deal":
            assert order.deal_id is not None
            self.sold[order.deal_id] -= 1
        elif order.paid is not None:
            self._stock.put_back(order.lines)
            self._coupons.give_back(order)
        else:
            if self.fences.enter(order.order_id, Branch.STOCK, Phase.CANCEL):
                self._stock.put_back(order.lines)
            if order.coupon_code is not None and self.fences.enter(order.order_id, Branch.COUPON, Phase.CANCEL):
                self._coupons.give_back(order)
