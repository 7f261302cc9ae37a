"""Callbacks of the payment provider (G4, G11): doubled, late, contradictory, of another amount; part refunds."""

from __future__ import annotations

import pytest

from o2o_domain.orders import OrderState
from o2o_domain.payments import Apply, GiveBack, Ignore, PaymentEvent, PaymentState, on_callback, part_refund, step
from o2o_domain.refusal import Refused

WAITING = [PaymentState.REQUESTED, PaymentState.CONFIRMED]
MONEY_IN = [PaymentState.PAID, PaymentState.REFUNDED, PaymentState.PART_REFUNDED]
LATE = [PaymentState.EXPIRED, PaymentState.REFUSED]
ENDED = [*LATE, PaymentState.DISPUTED]


@pytest.mark.parametrize("state", WAITING)
def test_a_good_callback_pays(state: PaymentState) -> None:
    assert on_callback(state, amount_due=4600, amount=4600, ok=True) == Apply(PaymentEvent.PAY)


@pytest.mark.parametrize("state", WAITING)
def test_a_refusal_refuses_whatever_amount_it_names(state: PaymentState) -> None:
    assert on_callback(state, amount_due=4600, amount=0, ok=False) == Apply(PaymentEvent.REFUSE)


@pytest.mark.parametrize("state", MONEY_IN)
def test_money_is_taken_once(state: PaymentState) -> None:
    """G11: 0 double charge."""
    assert on_callback(state, amount_due=4600, amount=4600, ok=True) == Ignore("already_paid")
    assert on_callback(state, amount_due=4600, amount=4600, ok=False) == Ignore("already_paid")


@pytest.mark.parametrize("state", ENDED)
def test_late_money_is_taken_and_given_back(state: PaymentState) -> None:
    """G11: no paid-but-unordered: the order is closed, so the money goes back at once."""
    assert on_callback(state, amount_due=4600, amount=4600, ok=True) == Apply(PaymentEvent.PAY, then_refund=True)


def test_a_late_refusal_changes_nothing() -> None:
    for state in LATE:
        assert on_callback(state, amount_due=4600, amount=4600, ok=False) == Ignore("already_refused")
    disputed = on_callback(PaymentState.DISPUTED, amount_due=4600, amount=4600, ok=False)
    assert disputed == Ignore("already_disputed")


@pytest.mark.parametrize("amount", [4599, 4601, 0, -4600])
def test_another_amount_never_pays(amount: int) -> None:
    """G4: amount wrong opens a dispute, whatever is waited for; what is paid already is not moved."""
    for state in (*WAITING, *LATE):
        assert on_callback(state, amount_due=4600, amount=amount, ok=True) == Apply(PaymentEvent.DISPUTE)
        assert step(state, PaymentEvent.DISPUTE) == PaymentState.DISPUTED
    again = on_callback(PaymentState.DISPUTED, amount_due=4600, amount=amount, ok=True)
    assert again == Ignore("already_disputed")
    for state in MONEY_IN:
        assert on_callback(state, amount_due=4600, amount=amount, ok=True) == Ignore("already_paid")


@pytest.mark.parametrize("state", list(PaymentState))
@pytest.mark.parametrize("ok", [True, False])
def test_a_callback_seen_before_changes_nothing(state: PaymentState, ok: bool) -> None:
    assert on_callback(state, amount_due=1, amount=1, ok=ok, duplicate=True) == Ignore("duplicate")


@pytest.mark.parametrize("state", list(PaymentState))
@pytest.mark.parametrize("ok", [True, False])
def test_what_is_applied_is_a_legal_step(state: PaymentState, ok: bool) -> None:
    answer = on_callback(state, amount_due=1, amount=1, ok=ok)
    if isinstance(answer, Apply):
        after = step(state, answer.event)
        assert after in (PaymentState.PAID, PaymentState.REFUSED)
        if answer.then_refund:
            assert after == PaymentState.PAID
            assert step(after, PaymentEvent.REFUND) == PaymentState.REFUNDED


def part(state: str, *, paid: int = 4600, refunded: int = 0, amount: int = 900, money: str = "paid") -> object:
    return part_refund(OrderState(state), PaymentState(money), paid_fen=paid, refunded_fen=refunded, amount_fen=amount)


@pytest.mark.parametrize("state", ["paid", "cooking", "ready", "picked_up", "delivered"])
def test_a_part_is_given_back_and_the_last_fen_makes_it_whole(state: str) -> None:
    assert part(state) == GiveBack(900, PaymentEvent.PART_REFUND, 900)
    assert part(state, refunded=900, amount=3700, money="part_refunded") == GiveBack(3700, PaymentEvent.REFUND, 4600)


def test_never_more_than_was_paid() -> None:
    assert part("delivered", refunded=900, amount=3701) == Refused(
        "more_than_paid", "900 of 4600 fen refunded already, 3701 asked for"
    )
    assert part("delivered", refunded=4600, amount=1, money="refunded") == Refused(
        "more_than_paid", "4600 of 4600 fen refunded already, 1 asked for"
    )
    for amount in (0, -1):
        assert part("delivered", amount=amount) == Refused("bad_amount", str(amount))


@pytest.mark.parametrize("state", ["pending_payment", "closed", "payment_failed", "rejected", "cancelled", "issued"])
def test_what_was_not_paid_or_is_over_is_not_part_refunded(state: str) -> None:
    assert part(state) == Refused("not_refundable", f"{state}, payment paid")
    assert part("paid", money="disputed") == Refused("not_refundable", "paid, payment disputed")
