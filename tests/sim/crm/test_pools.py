"""The simulated pools (C1, C6-C8): rules on the simulated clock, and what the history says of them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from simpy import Environment

from o2o_domain.leads import LeadStage
from o2o_domain.pools import PoolPolicy
from o2o_domain.refusal import Refused
from o2o_results.run import as_table
from o2o_sim.city.model import Lead
from o2o_sim.crm.pools import Pools

DAY = 86_400.0


def make(policy: PoolPolicy | None = None, *, leads: int = 5, bds: int = 3) -> Pools:
    env = Environment()
    people = tuple(Lead(i, f"store {i}", 0, 0.0, 0.0, "crawl", 1.0, 0.0) for i in range(leads))
    pools = Pools(env, policy or PoolPolicy(quota=2), people, bds)
    for lead in people:
        pools.appear(lead.lead_id)
    return pools


def at(pools: Pools, day: float) -> None:
    pools.env.run(until=day * DAY)


def schedule(pools: Pools, day: float, action: Any) -> None:
    def process() -> Generator[Any, Any, None]:
        yield pools.env.timeout(day * DAY - pools.env.now)
        action()

    pools.env.process(process())


def events(pools: Pools, lead_id: int) -> list[tuple[float, str, str | None]]:
    rows = pools.tables()["lead_events"].to_pylist()
    return [(row["at"] / DAY, row["what"], row["reason"]) for row in rows if row["lead_id"] == lead_id]


def visit_every(pools: Pools, days: float, until: float) -> None:
    day = days
    while day < until:
        schedule(pools, day, lambda: pools.visit(0, 0, 60.0, contract_signed=False))
        day += days


def test_kept_at_day_14_dropped_at_15_without_a_visit() -> None:
    pools = make()
    assert pools.claim(0, 0) is None
    at(pools, 14.999)
    assert pools.private[0] == {0: None}
    at(pools, 15.001)
    assert pools.private[0] == {}
    assert bool(pools.open[0])
    assert events(pools, 0)[-1] == (15.0, "dropped", "no_visit")


def test_kept_at_day_29_dropped_at_30_without_a_contract() -> None:
    pools = make()
    pools.claim(0, 0)
    visit_every(pools, 14, 60)
    at(pools, 29.999)
    assert 0 in pools.private[0]
    at(pools, 31)
    assert events(pools, 0)[-1] == (30.0, "dropped", "no_contract")


def test_kept_at_day_44_dropped_at_45_when_the_term_ends() -> None:
    pools = make(PoolPolicy(quota=2, contract_days=1000))
    pools.claim(0, 0)
    visit_every(pools, 14, 60)
    at(pools, 44.999)
    assert 0 in pools.private[0]
    at(pools, 46)
    assert events(pools, 0)[-1] == (45.0, "dropped", "term")


def test_quota_and_ownership_are_refusals() -> None:
    pools = make()
    assert pools.claim(0, 0) is None
    assert pools.claim(0, 1) is None
    third, taken = pools.claim(0, 2), pools.claim(1, 0)
    assert isinstance(third, Refused)
    assert third.code == "quota_reached"
    assert isinstance(taken, Refused)
    assert taken.code == "already_owned"
    assert events(pools, 2) == [(0.0, "created", None)]
    at(pools, 16)
    assert pools.claim(0, 2) is None


def test_only_the_owner_visits_and_a_signature_ends_the_hold() -> None:
    pools = make()
    pools.claim(0, 0)
    assert isinstance(pools.visit(1, 0, 60.0, contract_signed=True), Refused)
    assert pools.visit(0, 0, 60.0, contract_signed=True) is None
    assert pools.stage[0] is LeadStage.SIGNED
    assert pools.private[0] == {}
    assert not pools.open[0]
    assert isinstance(pools.visit(0, 0, 60.0, contract_signed=False), Refused)
    at(pools, 60)
    assert [what for _, what, _ in events(pools, 0)] == ["created", "claimed", "visited", "signed"]


def test_no_signature_without_a_visit() -> None:
    """C1: conversion only with at least one visit."""
    pools = make()
    pools.claim(0, 0)
    refused = pools.sign(0, 0)
    assert isinstance(refused, Refused)
    assert refused.code == "no_visit"
    pools.visit(0, 0, 60.0, contract_signed=False)
    assert isinstance(pools.sign(1, 0), Refused)
    assert pools.sign(0, 0) is None
    assert pools.signed_at[0] == pools.env.now


def test_extension_shields_where_it_resets_all_clocks() -> None:
    pools = make(PoolPolicy(quota=2, extension_resets="all", extension_days=10, max_extensions=1))
    pools.claim(0, 0)
    at(pools, 14)
    assert isinstance(pools.extend(1, 0), Refused)
    assert pools.extend(0, 0) is None
    assert isinstance(pools.extend(0, 0), Refused)
    at(pools, 24.999)
    assert 0 in pools.private[0]
    at(pools, 25.001)
    assert 0 not in pools.private[0]


def test_assignment_needs_a_superior_and_room() -> None:
    pools = make(PoolPolicy(quota=2, extension_resets="all"))
    pools.claim(0, 0)
    at(pools, 10)
    refused = pools.assign(0, 1, manager=0, is_superior=False)
    assert isinstance(refused, Refused)
    assert refused.code == "not_superior"
    assert pools.assign(0, 1, manager=0, is_superior=True) is None
    assert pools.private[:2] == [{}, {0: None}]
    at(pools, 24.999)
    assert 0 in pools.private[1]
    at(pools, 25.001)
    assert events(pools, 0)[-1] == (25.0, "dropped", "no_visit")
    pools.claim(1, 1)
    pools.claim(1, 2)
    full = pools.assign(3, 1, manager=0, is_superior=True)
    assert isinstance(full, Refused)
    assert full.code == "quota_reached"


def test_private_and_idle_time_add_up() -> None:
    pools = make()
    pools.claim(0, 0)
    schedule(pools, 10, lambda: pools.visit(0, 0, 60.0, contract_signed=False))
    schedule(pools, 12, lambda: pools.visit(0, 0, 60.0, contract_signed=True))
    pools.claim(1, 1)
    at(pools, 20)
    pools.close()
    signed, dropped = pools.tables()["leads"].to_pylist()[:2]
    assert signed["private_s"] == pytest.approx(12 * DAY)
    assert signed["idle_s"] == pytest.approx(3 * DAY)
    assert signed["signed"] == pytest.approx(12 * DAY)
    assert dropped["private_s"] == pytest.approx(15 * DAY)
    assert dropped["idle_s"] == pytest.approx(8 * DAY)
    assert (dropped["claims"], dropped["drops"], dropped["owner"]) == (1, 1, None)


def test_tables_conform() -> None:
    pools = make()
    pools.claim(0, 0)
    pools.visit(0, 0, 60.0, contract_signed=False)
    pools.close()
    for name, table in pools.tables().items():
        assert as_table(name, table).num_rows > 0
