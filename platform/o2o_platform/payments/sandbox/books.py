"""The provider's books: one charge a payment, what was given back of it, and the statement of all that changed.

Decides what a charge is, that a payment is charged once and a refund given once, and how the statement is numbered:
each change that the statement shows gives the charge the next number, so whoever asks for what came after his last
number misses nothing, and a million charges can be pulled in pieces. Kept in memory, and on file if there is a journal.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from o2o_platform.payments.journal import Journal
from o2o_platform.payments.sandbox.plan import AS_ASKED, Plan, Standing

Delay = Annotated[float, Meta(ge=0, le=86_400)]
Fen = Annotated[int, Meta(ge=0)]


class Confirmation(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of POST /pay/{payment_id}: how this user and this provider behave this time."""

    confirm_s: Delay = 0.0
    callback_s: Delay = 0.0
    outcome: Literal["ok", "refused"] = "ok"
    duplicates: Annotated[int, Meta(ge=0, le=10)] = 0
    """Callbacks told again."""
    silent: bool = False
    """The callback never comes."""
    taken_fen: Fen | None = None
    """What is really taken, if not the amount asked for."""
    told_fen: Fen | None = None
    """What the callback says was taken, if not that."""
    stale_refusal: bool = False
    """The refusal of a first attempt is told after the success of the second."""


class Charge(Struct, omit_defaults=True):
    """The provider's book of one payment; times are unix seconds."""

    payment_id: int
    amount_fen: int
    state: str  # pending | ok | refused
    asked: float
    confirmed: float | None = None
    taken_fen: int = 0
    refunded_fen: int = 0
    refunds: dict[str, int] = {}
    """Given back, by the platform's id of the refund."""
    callbacks: int = 0
    """Callbacks that the platform has answered with 2xx."""
    seq: int = 0
    changed: float = 0.0
    fate: str = AS_ASKED
    how: Confirmation = Confirmation()


class _PlanLine(Struct):
    plan: Standing


_CHARGE = msgspec.json.Decoder(Charge)
_PLAN = msgspec.json.Decoder(_PlanLine)


class Books:
    """Charges by payment, the plan in force, and both on file if there is a journal."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.charges: dict[int, Charge] = {}
        self.standing = Standing(Plan(), 0.0)
        self.fates: Counter[str] = Counter()
        """Charges by what the plan did to them."""
        self._journal = journal
        self._numbers: list[int] = []  # of changes, growing; beside each the charge that changed
        self._changes: list[Charge] = []
        if journal is not None:
            self._read(journal)

    def _read(self, journal: Journal) -> None:
        for line in journal.lines():
            if line.startswith(b'{"plan"'):
                self.standing = _PLAN.decode(line).plan
            else:
                charge = _CHARGE.decode(line)
                self.charges[charge.payment_id] = charge
        for charge in sorted(self.charges.values(), key=lambda one: one.seq):
            self._numbers.append(charge.seq)
            self._changes.append(charge)
            self.fates[charge.fate] += 1

    def open(self, charge: Charge, now: float) -> None:
        """A new charge."""
        self.charges[charge.payment_id] = charge
        self.fates[charge.fate] += 1
        self.changed(charge, now)

    def changed(self, charge: Charge, now: float) -> None:
        """The statement shows something else of this charge now."""
        charge.seq = self._numbers[-1] + 1 if self._numbers else 1
        charge.changed = now
        self._numbers.append(charge.seq)
        self._changes.append(charge)
        self.note(charge)

    def note(self, charge: Charge) -> None:
        """Write a charge down as it stands."""
        if self._journal is not None:
            self._journal.note(charge)

    def plan(self, standing: Standing) -> None:
        """Behave like this from now on."""
        self.standing = standing
        if self._journal is not None:
            self._journal.note(_PlanLine(standing))

    def refund(self, charge: Charge, refund_id: str, fen: int, now: float) -> bool:
        """Give back once under each id; False if it is more than was taken, or the id stands for another amount."""
        known = charge.refunds.get(refund_id)
        if known is not None:
            return known == fen
        if charge.state != "ok" or charge.refunded_fen + fen > charge.taken_fen:
            return False
        charge.refunds = {**charge.refunds, refund_id: fen}
        charge.refunded_fen += fen
        self.changed(charge, now)
        return True

    def page(self, after: int, limit: int) -> dict[str, Any]:
        """Up to `limit` charges whose latest number is above `after`, by that number."""
        numbers, changes = self._numbers, self._changes
        found: list[dict[str, Any]] = []
        at = bisect_right(numbers, after)
        while at < len(numbers) and len(found) < limit:
            if changes[at].seq == numbers[at]:  # else it changed again and stands further on
                found.append(entry(changes[at]))
            at += 1
        last = numbers[at - 1] if at else 0
        return {"charges": found, "next": max(last, after), "more": at < len(numbers)}

    def close(self) -> None:
        """Nothing more is written."""
        if self._journal is not None:
            self._journal.close()


def entry(charge: Charge) -> dict[str, Any]:
    """A line of the statement."""
    return {
        "seq": charge.seq,
        "payment_id": charge.payment_id,
        "state": charge.state,
        "amount_fen": charge.amount_fen,
        "charged_fen": charge.taken_fen,
        "refunded_fen": charge.refunded_fen,
        "asked": charge.asked,
        "confirmed": charge.confirmed,
        "changed": charge.changed,
        "callbacks": charge.callbacks,
    }
