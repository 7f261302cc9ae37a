"""How the provider misbehaves on its own account: seeded shares of charges, and windows in which it is down (G4).

Decides what becomes of each payment: one draw from seed and payment, so the same payment meets the same fate whenever
it is asked for and whatever else happens, also after the provider was killed. A charge has one fate, so that shares
can be counted.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]

FATES = ("late", "lost", "doubled", "out_of_order", "refused", "amount_wrong")
"""Shares of the plan, in the order in which the draw is laid out."""
AS_ASKED = "as_asked"
"""The fate of all others."""


class Down(Struct, frozen=True, forbid_unknown_fields=True):
    """Nobody is answered but with 503 and nobody is told anything, `for_s` long, `after_s` after the plan was put."""

    after_s: Seconds
    for_s: Seconds


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of PUT /plan. Shares of charges:

    late: told up to 2 x `late_s` later; lost: the money is taken, the callback never comes; doubled: told twice;
    out_of_order: the refusal of a first attempt is told after the success of the second; refused: nothing is taken;
    amount_wrong: some other amount is taken and told.
    """

    seed: int = 0
    late: Share = 0.0
    late_s: Seconds = 10.0
    lost: Share = 0.0
    doubled: Share = 0.0
    out_of_order: Share = 0.0
    refused: Share = 0.0
    amount_wrong: Share = 0.0
    down: Annotated[list[Down], Meta(max_length=1000)] = []

    def fits(self) -> bool:
        """Whether the shares are no more than all."""
        return sum(float(getattr(self, fate)) for fate in FATES) <= 1.0 + 1e-9


class Draw(Struct, frozen=True):
    """What the plan does to one payment. `late_s`: seconds more until it is told; `beside_fen`: beside the amount."""

    fate: str = AS_ASKED
    late_s: float = 0.0
    beside_fen: int = 0


class Standing(Struct, frozen=True):
    """A plan and when it was put, unix seconds."""

    plan: Plan
    since: float

    def down_for(self, now: float) -> float:
        """Seconds until the provider is up again, 0 if it is."""
        ends = [self.since + down.after_s + down.for_s for down in self.plan.down if self._within(down, now)]
        return max(ends, default=now) - now

    def _within(self, down: Down, now: float) -> bool:
        return 0.0 <= now - self.since - down.after_s < down.for_s

    def draw(self, payment_id: int) -> Draw:
        """The fate of a payment."""
        plan = self.plan
        digest = blake2b(b"%d:%d" % (plan.seed, payment_id), digest_size=16).digest()
        chance = int.from_bytes(digest[:8]) / 2**64
        for fate in FATES:
            share: float = getattr(plan, fate)
            if chance < share:
                second = int.from_bytes(digest[8:]) / 2**64
                late_s = 2.0 * plan.late_s * second if fate == "late" else 0.0
                return Draw(fate, late_s, _beside(second) if fate == "amount_wrong" else 0)
            chance -= share
        return _AS_ASKED


_AS_ASKED = Draw()
_WRONG = (-100, -1, 1, 100)


def _beside(chance: float) -> int:
    """By how much a wrong amount is wrong, fen."""
    return _WRONG[int(chance * len(_WRONG))]
