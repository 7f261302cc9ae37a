"""Reconciliation: what the provider's statement says of a payment against what the platform's books say (G11).

Decides, from both sides of one payment and the time, whether they agree and which repair makes them agree. Leaves
pulling the statement, repairing and writing it down to the shells. The provider's statement is the truth about money;
the platform's books are the truth about orders and about what is owed back.

    theirs \\ ours    waits for money     ended unpaid        disputed        money taken
    no entry         in_order            in_order            in_order        dispute
    pending          in_order            in_order            in_order        dispute
    refused          refuse              in_order            refuse          dispute
    ok, right sum    take_payment        refund_late         refund_late     compare sums and refunds
    ok, other sum    refund_difference   refund_difference   refund_difference   refund_difference | dispute
    ok, not ours     refund_unknown
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from o2o_domain.payments import TAKEN, PaymentState


class Repair(StrEnum):
    """What makes both sides agree again."""

    IN_ORDER = "in_order"
    WAIT = "wait"
    """Too fresh to judge: the callback (or the refund) may still be on its way."""
    TAKE_PAYMENT = "take_payment"
    """The callback was lost: the order is paid."""
    REFUSE = "refuse"
    """The refusal was lost, or nothing was taken after all: the payment is refused."""
    REFUND_LATE = "refund_late"
    """The money came for an order that has ended: taken into the books and given back."""
    REFUND_DIFFERENCE = "refund_difference"
    """Another amount was taken: what the order does not need is given back, which is all of it if it was not paid."""
    REFUND_UNKNOWN = "refund_unknown"
    """Money for a payment that the platform does not know: given back."""
    ASK_REFUND_AGAIN = "ask_refund_again"
    """The platform owes it back, the provider has not given it back."""
    NOTE_REFUND = "note_refund"
    """It was given back, only the provider's answer was lost."""
    DISPUTE = "dispute"
    """No rule can repair this: people must look. It is listed until the sides agree."""


@dataclass(frozen=True, slots=True)
class Ours:
    """The platform's books of one payment, fen. `refund_fen`: owed back in all; `owed_since`: unix seconds of the
    latest refund that the provider has not confirmed, None if it has confirmed all."""

    state: PaymentState
    amount_fen: int
    taken_fen: int
    refund_fen: int
    owed_since: float | None = None


@dataclass(frozen=True, slots=True)
class Theirs:
    """The provider's entry of one payment, fen. `state`: pending | ok | refused; `changed`: unix seconds."""

    state: str
    charged_fen: int
    refunded_fen: int
    changed: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """`repair` is to be done. `fen`: how much is to be given back (or taken), where that is the question."""

    repair: Repair
    fen: int = 0
    reason: str = ""


_IN_ORDER, _WAIT = Verdict(Repair.IN_ORDER), Verdict(Repair.WAIT)
_WAITING = (PaymentState.REQUESTED, PaymentState.CONFIRMED)


def reconcile(ours: Ours | None, theirs: Theirs | None, *, now: float, grace_s: float) -> Verdict:
    """Compare both sides of one payment at `now`; neither side is judged within `grace_s` of its last change.

    Worked: ours requested over 4600, theirs ok with 4600 charged 60 s ago, grace 10 s -> take_payment, 4600. Applying
    a repair and comparing again gives in_order (or wait, until the provider has given back what is owed).
    """
    if theirs is not None and now - theirs.changed < grace_s:
        return _WAIT
    if ours is None:
        return _unknown(theirs)
    taken = ours.state in TAKEN
    if theirs is None:
        return Verdict(Repair.DISPUTE, ours.taken_fen, "provider_knows_nothing") if taken else _IN_ORDER
    if taken:
        return _compare_sums(ours, theirs, now, grace_s)
    if theirs.state == "pending":
        return _IN_ORDER  # nothing was taken yet; when it is, the entry changes
    if theirs.state != "ok":
        nothing_to_end = ours.state in (PaymentState.REFUSED, PaymentState.EXPIRED)
        return _IN_ORDER if nothing_to_end else Verdict(Repair.REFUSE, 0, "refused_there")
    if theirs.charged_fen != ours.amount_fen:
        return Verdict(Repair.REFUND_DIFFERENCE, theirs.charged_fen, "amount_mismatch")
    if ours.state in _WAITING:
        return Verdict(Repair.TAKE_PAYMENT, theirs.charged_fen, "callback_lost")
    return Verdict(Repair.REFUND_LATE, theirs.charged_fen, "order_had_ended")


def _unknown(theirs: Theirs | None) -> Verdict:
    held = theirs.charged_fen - theirs.refunded_fen if theirs is not None and theirs.state == "ok" else 0
    return Verdict(Repair.REFUND_UNKNOWN, held, "payment_unknown") if held > 0 else _IN_ORDER


def _compare_sums(ours: Ours, theirs: Theirs, now: float, grace_s: float) -> Verdict:
    """Both sides, where the platform says that the money is in."""
    if theirs.state != "ok" or theirs.charged_fen < ours.taken_fen:
        return Verdict(Repair.DISPUTE, ours.taken_fen - theirs.charged_fen, "less_was_taken")
    if theirs.charged_fen > ours.taken_fen:
        return Verdict(Repair.REFUND_DIFFERENCE, theirs.charged_fen - ours.taken_fen, "more_was_taken")
    if theirs.refunded_fen > ours.refund_fen:
        return Verdict(Repair.DISPUTE, theirs.refunded_fen - ours.refund_fen, "more_was_given_back")
    missing = ours.refund_fen - theirs.refunded_fen
    if ours.owed_since is None:
        return Verdict(Repair.ASK_REFUND_AGAIN, missing, "confirmed_not_given") if missing else _IN_ORDER
    if now - ours.owed_since < grace_s:
        return _WAIT
    if not missing:
        return Verdict(Repair.NOTE_REFUND, ours.refund_fen, "answer_lost")
    return Verdict(Repair.ASK_REFUND_AGAIN, missing, "not_given_back")
