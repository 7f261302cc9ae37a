"""A3: the points of an order and the verdict that they lead to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.risk import Assessed, RiskFacts, RiskPolicy, RiskVerdict, assess

POLICY = RiskPolicy()
PLAIN = RiskFacts(amount_fen=3000, orders_in_window=0, orders_before=4, known_address=True)
FACTS = st.builds(
    RiskFacts,
    amount_fen=st.integers(0, 200_000),
    orders_in_window=st.integers(0, 20),
    orders_before=st.integers(0, 3),
    known_address=st.booleans(),
)


@pytest.mark.parametrize(
    ("facts", "verdict", "score", "reasons"),
    [
        (PLAIN, "allow", 0, ()),
        (replace(PLAIN, amount_fen=19_999), "allow", 0, ()),
        (replace(PLAIN, amount_fen=20_000), "allow", 20, ("large",)),
        (replace(PLAIN, amount_fen=100_000), "review", 40, ("huge",)),
        (replace(PLAIN, orders_in_window=3), "allow", 0, ()),
        (replace(PLAIN, orders_in_window=7), "review", 40, ("many_orders",)),
        (replace(PLAIN, orders_in_window=500), "review", 50, ("many_orders",)),
        (replace(PLAIN, known_address=False), "allow", 15, ("new_address",)),
        (replace(PLAIN, known_address=False, orders_before=0), "allow", 0, ()),  # everybody's first is new
        (RiskFacts(100_000, 7, 7, known_address=True), "review", 80, ("huge", "many_orders")),
        (RiskFacts(120_000, 7, 7, known_address=False), "deny", 95, ("huge", "many_orders", "new_address")),
    ],
)
def test_points_and_verdicts(facts: RiskFacts, verdict: str, score: int, reasons: tuple[str, ...]) -> None:
    assert assess(facts, POLICY) == Assessed(RiskVerdict(verdict), score, reasons)


@given(FACTS, st.integers(0, 100_000), st.integers(0, 10))
def test_more_of_anything_is_never_less_risky(facts: RiskFacts, more_fen: int, more_orders: int) -> None:
    riskier = replace(
        facts,
        amount_fen=facts.amount_fen + more_fen,
        orders_in_window=facts.orders_in_window + more_orders,
        known_address=False,
    )
    assert assess(riskier, POLICY).score >= assess(facts, POLICY).score


@given(FACTS)
def test_one_reason_alone_never_denies(facts: RiskFacts) -> None:
    found = assess(facts, POLICY)
    assert len(found.reasons) > 1 or found.verdict is not RiskVerdict.DENY
    assert bool(found.score) == bool(found.reasons)
