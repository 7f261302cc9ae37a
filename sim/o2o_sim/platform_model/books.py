"""Books: the double-entry ledger, and payments with their provider's side.

Decides nothing but bookkeeping: accounts and amounts are the domain's (`ledger`), as is what a callback does
(`payments`). The provider is modelled as correct: it takes money once and gives back what it is asked to.
"""

from __future__ import annotations

from o2o_domain import ledger
from o2o_domain.ledger import Posting
from o2o_domain.payments import PaymentEvent, PaymentState, step
from o2o_sim.platform_model.desk import Desk
from o2o_sim.platform_model.records import Order, Payment


class Books:
    """The ledger and the payments of a run."""

    def __init__(self, desk: Desk) -> None:
        self.entries: list[tuple[int, int, float, str, str, int]] = []
        """(txn_id, order_id, at, reason, account, amount_fen)"""
        self.payments: list[Payment] = []
        self._by_order: dict[int, Payment] = {}
        self._txn = 0
        self._desk = desk
        self._commission = desk.scenario.fees.commission_share

    def request(self, order: Order) -> Payment:
        """A new payment over the order's total."""
        payment = Payment(order, order.quote.total_fen, self._desk.env.now)
        self.payments.append(payment)
        self._by_order[order.order_id] = payment
        return payment

    def payment(self, order: Order) -> Payment:
        """The order's payment."""
        return self._by_order[order.order_id]

    def move(self, payment: Payment, event: PaymentEvent) -> None:
        """Take the payment one step on; the caller has asked the rules whether it may."""
        after = step(payment.state, event)
        assert isinstance(after, PaymentState), (payment.order.order_id, after)
        payment.state = after

    def paid(self, payment: Payment) -> None:
        """Money came in."""
        order = payment.order
        self.move(payment, PaymentEvent.PAY)
        order.paid_fen = payment.amount_fen
        self._post(
            order, "paid", ledger.paid(order.quote, merchant_id=order.merchant_id, commission_share=self._commission)
        )

    def refund(self, order: Order, reason: str) -> None:
        """Give all of an order's money back."""
        payment = self._by_order[order.order_id]
        self.move(payment, PaymentEvent.REFUND)
        order.refunded_fen = payment.amount_fen
        payment.provider_refunded_fen = payment.amount_fen
        postings = ledger.refunded(order.quote, merchant_id=order.merchant_id, commission_share=self._commission)
        self._post(order, reason, postings)

    def settle(self, order: Order) -> None:
        """The order is delivered, or its voucher redeemed: the merchant's share is due."""
        postings = ledger.settled(order.quote, merchant_id=order.merchant_id, commission_share=self._commission)
        self._post(order, "settled", postings)

    def _post(self, order: Order, reason: str, postings: tuple[Posting, ...]) -> None:
        now, txn = self._desk.env.now, self._txn
        self._txn += 1
        self.entries += [
            (txn, order.order_id, now, reason, posting.account, posting.amount_fen) for posting in postings
        ]
