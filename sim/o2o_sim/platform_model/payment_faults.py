"""How the payment provider misbehaves: which callbacks are lost, doubled, late, or tell of another amount (G4).

Decides the draws: one address for all, one row an order, so that a payment meets the same fault in the model and in a
live run of the same scenario, whatever else differs. What a fault does is the worlds' own affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from o2o_scenarios.schema import Scenario
from o2o_sim.chance import stream

FAULTS = ("lost", "doubled", "late", "amount_wrong")
"""Fields of `platform.payment.faults`, in the order in which a draw is laid out."""
BESIDE_FEN = (-100, -1, 1, 100)
"""By how much a wrong amount is wrong."""


@dataclass(frozen=True, slots=True)
class PaymentFault:
    """What becomes of one payment's callback. `late_s`: run seconds more; `beside_fen`: beside the amount."""

    kind: str
    late_s: float = 0.0
    beside_fen: int = 0

    def taken_fen(self, amount_fen: int) -> int:
        """What the provider takes instead of `amount_fen`."""
        return max(amount_fen + self.beside_fen, 1)


def payment_faults(scenario: Scenario, n: int) -> dict[int, PaymentFault]:
    """The faults of the payments of `n` orders, by order_id; those that are not named go as they should."""
    spec = scenario.platform.payment.faults
    shares = [(kind, float(getattr(spec, kind))) for kind in FAULTS]
    if not any(share for _, share in shares):
        return {}
    found = {}
    for order_id, (chance, second) in enumerate(stream(scenario.seed, "platform.payment.faults").random((n, 2))):
        for kind, share in shares:
            if chance < share:
                late_s = -log(1.0 - second) * spec.late_mean_s if kind == "late" else 0.0
                beside = BESIDE_FEN[int(second * len(BESIDE_FEN))] if kind == "amount_wrong" else 0
                found[order_id] = PaymentFault(kind, late_s, beside)
                break
            chance -= share
    return found
