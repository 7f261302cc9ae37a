"""Reconciliation, cell by cell (G11): what both sides say, and the repair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from o2o_domain.payments import TAKEN, PaymentState
from o2o_domain.reconcile import Ours, Repair, Theirs, Verdict, reconcile

NOW, GRACE = 1000.0, 10.0
OK = Theirs("ok", 4600, 0, 0.0)
WAITING = (PaymentState.REQUESTED, PaymentState.CONFIRMED)
UNPAID = [state for state in PaymentState if state not in TAKEN]


def compare(ours: Ours | None, theirs: Theirs | None) -> Verdict:
    return reconcile(ours, theirs, now=NOW, grace_s=GRACE)


def ours(state: str, *, taken: int = 0, refund: int = 0, owed: float | None = None) -> Ours:
    return Ours(PaymentState(state), 4600, taken, refund, owed)


@pytest.mark.parametrize("state", WAITING)
def test_a_lost_callback_is_made_up_for(state: PaymentState) -> None:
    assert compare(ours(state), OK) == Verdict(Repair.TAKE_PAYMENT, 4600, "callback_lost")


@pytest.mark.parametrize("state", ["expired", "refused", "disputed"])
def test_money_for_an_order_that_has_ended_goes_back(state: str) -> None:
    assert compare(ours(state), OK) == Verdict(Repair.REFUND_LATE, 4600, "order_had_ended")


@pytest.mark.parametrize("state", UNPAID)
@pytest.mark.parametrize("fen", [4599, 4700, 0])
def test_another_amount_goes_back_whole(state: PaymentState, fen: int) -> None:
    found = compare(ours(state), replace(OK, charged_fen=fen))
    assert found == Verdict(Repair.REFUND_DIFFERENCE, fen, "amount_mismatch")


@pytest.mark.parametrize("state", list(PaymentState))
def test_nothing_is_judged_while_it_is_fresh(state: PaymentState) -> None:
    assert compare(ours(state, taken=4600), replace(OK, changed=NOW - GRACE + 0.1)) == Verdict(Repair.WAIT)
    assert compare(None, replace(OK, changed=NOW)) == Verdict(Repair.WAIT)


@pytest.mark.parametrize("state", UNPAID)
def test_what_is_not_charged_yet_is_in_order(state: PaymentState) -> None:
    assert compare(ours(state), None) == Verdict(Repair.IN_ORDER)
    assert compare(ours(state), Theirs("pending", 0, 0, 0.0)) == Verdict(Repair.IN_ORDER)


def test_a_lost_refusal_ends_the_order() -> None:
    refused = Theirs("refused", 0, 0, 0.0)
    for state in ("requested", "confirmed", "disputed"):
        assert compare(ours(state), refused).repair == Repair.REFUSE
    for state in ("refused", "expired"):
        assert compare(ours(state), refused) == Verdict(Repair.IN_ORDER)


@pytest.mark.parametrize("state", sorted(TAKEN))
def test_money_that_the_provider_does_not_know_of_is_for_people(state: str) -> None:
    booked = ours(state, taken=4600)
    for theirs in (None, Theirs("refused", 0, 0, 0.0), Theirs("pending", 0, 0, 0.0), replace(OK, charged_fen=4500)):
        assert compare(booked, theirs).repair == Repair.DISPUTE


def test_both_sides_paid_is_in_order_and_more_than_booked_goes_back() -> None:
    assert compare(ours("paid", taken=4600), OK) == Verdict(Repair.IN_ORDER)
    more = compare(ours("paid", taken=4600), replace(OK, charged_fen=4700))
    assert more == Verdict(Repair.REFUND_DIFFERENCE, 100, "more_was_taken")


def test_refunds_are_asked_for_until_they_are_given() -> None:
    owed = ours("refunded", taken=4600, refund=4600, owed=900.0)
    assert compare(owed, OK) == Verdict(Repair.ASK_REFUND_AGAIN, 4600, "not_given_back")
    assert compare(owed, replace(OK, refunded_fen=4600)) == Verdict(Repair.NOTE_REFUND, 4600, "answer_lost")
    fresh = replace(owed, owed_since=NOW - 1.0)
    assert compare(fresh, OK) == Verdict(Repair.WAIT)
    done = replace(owed, owed_since=None)
    assert compare(done, replace(OK, refunded_fen=4600)) == Verdict(Repair.IN_ORDER)
    assert compare(done, replace(OK, refunded_fen=900)).repair == Repair.ASK_REFUND_AGAIN
    assert compare(ours("paid", taken=4600), replace(OK, refunded_fen=1)).repair == Repair.DISPUTE


def test_money_for_nothing_known_goes_back() -> None:
    assert compare(None, OK) == Verdict(Repair.REFUND_UNKNOWN, 4600, "payment_unknown")
    assert compare(None, replace(OK, refunded_fen=4600)) == Verdict(Repair.IN_ORDER)
    assert compare(None, Theirs("refused", 0, 0, 0.0)) == Verdict(Repair.IN_ORDER)
    assert compare(None, None) == Verdict(Repair.IN_ORDER)
