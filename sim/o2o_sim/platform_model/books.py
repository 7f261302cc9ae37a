"""Books: the double-entry ledger, and payments with their provider's side.

Decides nothing but bookkeeping: accounts and amounts are the domain's (`ledger`), as is what a callback does
(`payments`). The provider is modelled to take money once and to give back at once what it is asked to; what it may say
wrongly, late or never is the order desk's.
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
        self.refunds: list[tuple[Payment, int, str, float]] = []
        """(payment, fen, reason, at): the modelled provider gives back at once."""
        self._by_order: dict[int, Payment] = {}
        self._txn = 0
        self._desk = desk
        self._commission = desk.scenario.fees.commission_share

    def request(self, order: Order, *, by_balance: bool = False) -> Payment:
        """A new payment over the order's total."""
        payment = Payment(order, order.quote.total_fen, self._desk.env.now, by_balance)
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
        order.paid_fen = payment.taken_fen = payment.amount_fen
        postings = ledger.paid(
            order.quote,
            merchant_id=order.merchant_id,
            commission_share=self._commission,
            source=_source(payment),
        )
        self._post(order, "paid", postings)

    def refund(self, order: Order, reason: str) -> None:
        """Give all of an order's money back."""
        payment = self._by_order[order.order_id]
        self.move(payment, PaymentEvent.REFUND)
        order.refunded_fen = payment.amount_fen
        self._give_back(payment, payment.amount_fen, reason)
        postings = ledger.refunded(
            order.quote,
            merchant_id=order.merchant_id,
            commission_share=self._commission,
            source=_source(payment),
        )
        self._post(order, reason, postings)

    def disputed(self, payment: Payment, fen: int) -> None:
        """Another amount than due was taken: through the books, and back whole."""
        order = payment.order
        self.move(payment, PaymentEvent.REFUND)
        order.paid_fen = order.refunded_fen = payment.taken_fen = fen
        self._give_back(payment, fen, "amount_mismatch")
        postings = ledger.disputed(fen)
        self._post(order, "disputed", postings)
        self._post(order, "dispute_refunded", ledger.reverse(postings))

    def _give_back(self, payment: Payment, fen: int, reason: str) -> None:
        payment.refund_fen += fen
        if not payment.by_balance:
            payment.provider_refunded_fen = (payment.provider_refunded_fen or 0) + fen
        self.refunds.append((payment, fen, reason, self._desk.env.now))

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


def _source(payment: Payment) -> str:
    """The account that the money comes from and goes back to."""
    return ledger.USER_BALANCES if payment.by_balance else ledger.PROVIDER_CLEARING
