"""Payments in every order of arrival, reconciliation that ends, part refunds that add up (G4, G11, A9)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain import ledger
from o2o_domain.ledger import Posting
from o2o_domain.payments import TAKEN, Apply, PaymentEvent, PaymentState, on_callback, step
from o2o_domain.pricing import Quote
from o2o_domain.reconcile import Ours, Repair, Theirs, Verdict, reconcile

DUE = 4600
MESSAGES = {"ok": (True, DUE), "again": (True, DUE), "refused": (False, DUE), "wrong": (True, 4599), "expire": None}
"""What can reach a payment, the deadline among it; `again` is the good callback once more."""


class Books:
    """A platform's books of one payment, moved as the shells move them."""

    def __init__(self) -> None:
        self.ours = Ours(PaymentState.REQUESTED, DUE, 0, 0)
        self.order = "waits"
        self.taken = 0
        """Times that money was taken in."""

    def tell(self, name: str) -> None:
        message = MESSAGES[name]
        if message is None:
            if self.order == "waits":
                self._move(PaymentEvent.EXPIRE)
                self.order = "ended"
            return
        ok, amount = message
        answer = on_callback(self.ours.state, amount_due=DUE, amount=amount, ok=ok)
        if isinstance(answer, Apply):
            self._apply(answer)

    def _apply(self, answer: Apply) -> None:
        assert (self.order == "waits") is not answer.then_refund or answer.event is not PaymentEvent.PAY
        self._move(answer.event)
        if answer.event is PaymentEvent.PAY:
            self._take(DUE)
            if answer.then_refund:
                self._give_back(DUE)
            else:
                self.order = "paid"
        elif self.order == "waits":
            self.order = "ended"

    def repair(self, verdict: Verdict) -> None:
        if verdict.repair is Repair.TAKE_PAYMENT:
            self._apply(Apply(PaymentEvent.PAY))
        elif verdict.repair is Repair.REFUND_LATE:
            self._apply(Apply(PaymentEvent.PAY, then_refund=True))
        elif verdict.repair is Repair.REFUSE:
            self._move(PaymentEvent.REFUSE)
            self.order = "ended" if self.order == "waits" else self.order
        elif verdict.repair is Repair.REFUND_DIFFERENCE:
            if self.ours.state not in TAKEN:
                if self.ours.state is not PaymentState.DISPUTED:
                    self._move(PaymentEvent.DISPUTE)
                self._move(PaymentEvent.REFUND)
                self.order = "ended"
            self._take(verdict.fen)
            self.ours = replace(self.ours, refund_fen=self.ours.refund_fen + verdict.fen, owed_since=0.0)

    def _move(self, event: PaymentEvent) -> None:
        after = step(self.ours.state, event)
        assert isinstance(after, PaymentState), after
        self.ours = replace(self.ours, state=after)

    def _take(self, fen: int) -> None:
        self.taken += 1
        self.ours = replace(self.ours, taken_fen=self.ours.taken_fen + fen)

    def _give_back(self, fen: int) -> None:
        self._move(PaymentEvent.REFUND)
        self.ours = replace(self.ours, refund_fen=self.ours.refund_fen + fen, owed_since=0.0)


@pytest.mark.parametrize("order", list(itertools.permutations(MESSAGES)), ids="-".join)
def test_in_every_order_of_arrival_money_is_taken_once_and_for_a_waiting_order_only(order: tuple[str, ...]) -> None:
    """G11, all 120 orders of good, doubled, contradicting and wrong callbacks and the deadline: the good callback is
    always taken in, once; the order is paid exactly if it still waited, else everything is owed back."""
    books = Books()
    for name in order:
        books.tell(name)
    assert books.taken == 1
    first = next(name for name in order)
    assert (books.order == "paid") is (first in ("ok", "again"))
    assert books.ours.refund_fen == (0 if books.order == "paid" else DUE)


@given(
    st.lists(st.sampled_from(list(MESSAGES)), max_size=6),
    st.sampled_from([("ok", DUE), ("ok", DUE - 1), ("ok", DUE + 100), ("refused", 0)]),
)
def test_reconciliation_ends_with_both_sides_agreed(heard: list[str], truth: tuple[str, int]) -> None:
    """G11: whatever reached the platform or did not, repairs lead to in_order with nothing kept that is not owed."""
    state, charged = truth
    books = Books()
    for name in heard:
        if MESSAGES[name] is not None and MESSAGES[name] != (state == "ok", charged if state == "ok" else DUE):
            continue  # a provider may lose, double and delay what it says; here it does not lie
        books.tell(name)
    theirs = Theirs(state, charged, 0, 0.0)
    for _ in range(4):
        verdict = reconcile(books.ours, theirs, now=100.0, grace_s=10.0)
        if verdict.repair is Repair.ASK_REFUND_AGAIN:
            theirs = replace(theirs, refunded_fen=theirs.refunded_fen + verdict.fen)
        elif verdict.repair is Repair.NOTE_REFUND:
            books.ours = replace(books.ours, owed_since=None)
        else:
            books.repair(verdict)
    assert reconcile(books.ours, theirs, now=100.0, grace_s=10.0) == Verdict(Repair.IN_ORDER)
    kept = charged - theirs.refunded_fen
    assert kept == (DUE if books.order == "paid" else 0)
    assert books.taken <= 1
    assert books.order in ("paid", "ended") if state == "ok" or heard else True


QUOTES = st.builds(
    lambda items, cut, fee: Quote(items, min(items, cut), fee, items - min(items, cut) + fee),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 2000),
)
SHARES = st.integers(0, 10_000).map(lambda basis: basis / 10_000)


@given(QUOTES, SHARES, st.lists(st.integers(1, 10**6), max_size=6), st.integers(0, 6), st.booleans())
def test_part_refunds_sum_to_zero_each_and_undo_the_payment_together(
    quote: Quote, part: float, wishes: list[int], delivered_after: int, rest: bool
) -> None:
    """A9: who bears what is exact to the fen, before and after delivery, and nobody bears a negative part."""
    kind = {"merchant_id": 7, "commission_share": part}
    posted: tuple[Posting, ...] = ledger.paid(quote, **kind)
    done, earned = 0, False
    steps = [min(wish, quote.total_fen) for wish in wishes]
    for number, fen in enumerate([*steps, None] if rest else steps):
        if number == delivered_after:
            posted += ledger.settled(quote, **kind, refunded_fen=done)
            earned = True
        left = quote.total_fen - done
        if fen is not None and (fen > left or fen == 0):
            continue
        lines = ledger.refunded(quote, **kind, before_fen=done, fen=fen, earned=earned)
        if not (fen is None and left == 0 and quote.total_fen > 0):
            posted += lines
        assert sum(line.amount_fen for line in lines) == 0
        for line in lines:
            assert (line.amount_fen > 0) is (line.account not in ("provider_clearing", "coupon_subsidy"))
        done = quote.total_fen if fen is None else done + fen
    sums = ledger.balances(posted)
    assert sums.get("provider_clearing", 0) == quote.total_fen - done
    merchant = sums.get("merchant_payable:7", 0) + sums.get("merchant_settled:7", 0)
    if rest or (done == quote.total_fen and done > 0):
        assert not any(fen for account, fen in sums.items() if not account.startswith("merchant_"))
        assert merchant == 0
    else:
        bears = ledger.borne(quote, done, commission_share=part) if done else None
        commission = -sums.get("platform_commission", 0)
        assert -merchant + commission == quote.items_fen - (
            bears.merchant_fen + bears.commission_fen if bears is not None else 0
        )
        assert merchant <= 0


def test_a_missing_dish_worked_through() -> None:
    """The example of the module `ledger`."""
    quote = Quote(items_fen=5000, discount_fen=500, delivery_fee_fen=300, total_fen=4800)
    assert ledger.borne(quote, 900, commission_share=0.1) == ledger.Borne(100, 900, 100, 0)
    assert ledger.refunded(quote, merchant_id=7, commission_share=0.1, fen=900) == (
        Posting("provider_clearing", -900),
        Posting("coupon_subsidy", -100),
        Posting("merchant_payable:7", 900),
        Posting("platform_commission", 100),
    )
    after = ledger.settled(quote, merchant_id=7, commission_share=0.1, refunded_fen=900)
    assert after == (Posting("merchant_payable:7", 3600), Posting("merchant_settled:7", -3600))
