"""A season of BDs and leads: deterministic, within the rules, and the quota matters (C6-C8)."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from o2o_results.audit import audit
from o2o_results.hashes import tables_hash
from o2o_results.run import as_table
from o2o_results.tables import TABLES
from o2o_scenarios.loader import load
from o2o_scenarios.schema import Scenario
from o2o_sim.city.build import build_city
from o2o_sim.city.model import City
from o2o_sim.crm.roads import Roads
from o2o_sim.crm.simulate import simulate_pools
from o2o_sim.errors import SimError
from o2o_sim.experiments.metrics import measure, private_time
from o2o_sim.model_run import ModelRun

DAY = 86_400.0
SMALL = ("city.nodes=196", "crm.bds=12", "crm.leads=700", "crm.new_leads_per_day=5", "crm.days=60")


def small(*overrides: str, seed: int = 5) -> Scenario:
    return load("pool_quota", [*SMALL, *overrides], seed=seed)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A quota at which the public pool runs empty, so that everything that can happen to a lead happens."""
    return small("crm.pool.quota=60")


@pytest.fixture(scope="module")
def city(scenario: Scenario) -> City:
    return build_city(scenario)


@pytest.fixture(scope="module")
def run(scenario: Scenario, city: City) -> ModelRun:
    return simulate_pools(scenario, city)


@pytest.fixture(scope="module")
def events(run: ModelRun) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run.tables["lead_events"].to_pylist()
    return rows


def test_same_seed_same_tables_and_another_seed_others(scenario: Scenario, city: City, run: ModelRun) -> None:
    again = simulate_pools(scenario, city, roads=Roads.of(scenario, city))
    assert tables_hash(again.tables) == tables_hash(run.tables)
    assert again.events == run.events
    other = small(seed=6)
    assert tables_hash(simulate_pools(other, build_city(other)).tables) != tables_hash(run.tables)


def test_every_table_is_there_and_conforms(run: ModelRun) -> None:
    assert set(run.tables) == set(TABLES)
    for name, table in run.tables.items():
        assert as_table(name, table).equals(table)
        assert (table.num_rows > 0) == (name in {"leads", "lead_events", "visits"})


def test_nobody_is_above_the_quota_at_any_instant(scenario: Scenario, events: list[dict[str, Any]]) -> None:
    held: Counter[int] = Counter()
    owner: dict[int, int | None] = {}
    for row in events:
        lead, after = row["lead_id"], None if row["what"] == "signed" else row["owner"]
        before = owner.get(lead)
        if before is not None:
            held[before] -= 1
        if after is not None:
            held[after] += 1
        owner[lead] = after
        who = row["owner"] if row["owner"] is not None else before
        assert row["owned"] == (held[who] if who is not None else 0)
        assert max(held.values(), default=0) <= scenario.crm.pool.quota
    assert max(row["owned"] for row in events) == scenario.crm.pool.quota


def test_history_tells_what_the_leads_table_says(run: ModelRun, events: list[dict[str, Any]]) -> None:
    counts = Counter((row["lead_id"], row["what"]) for row in events)
    for lead in run.tables["leads"].to_pylist():
        number = lead["lead_id"]
        assert counts[number, "created"] == 1
        assert counts[number, "claimed"] == lead["claims"]
        assert counts[number, "dropped"] == lead["drops"]
        assert counts[number, "visited"] == lead["visits"]
        assert counts[number, "signed"] == (lead["stage"] == "signed")
        assert lead["idle_s"] <= lead["private_s"] + 1e-6
    assert [row["event_id"] for row in events] == list(range(len(events)))
    assert all(a["at"] <= b["at"] for a, b in itertools.pairwise(events))
    assert {row["what"] for row in events} >= {"created", "claimed", "visited", "signed", "dropped", "assigned"}
    private = sum(run.tables["leads"].column("private_s").to_pylist())
    assert private_time(run.tables["lead_events"], 12, run.horizon_s).sum() == pytest.approx(private)


@pytest.mark.parametrize("resets", ["term", "all"])
def test_the_audit_replays_the_history_without_a_violation(resets: str, city: City) -> None:
    scenario = small("crm.pool.quota=60", f"crm.pool.extension_resets={resets}")
    run = simulate_pools(scenario, city)
    verdicts = [verdict for verdict in audit(run.tables, scenario, horizon_s=run.horizon_s) if verdict.checked]
    assert {verdict.name for verdict in verdicts} >= {"leads.one_owner", "leads.quota", "leads.drops", "leads.counts"}
    assert [verdict for verdict in verdicts if not verdict.ok] == []


def test_leads_drop_at_the_instant_the_rules_say() -> None:
    """C7 in the season, without extensions or assignments: 15 days after the last visit, or 30 after the claim."""
    scenario = small("crm.assignments_per_week=0", "crm.extend_share=0", "crm.pool.quota=80")
    rows = simulate_pools(scenario, build_city(scenario)).tables["lead_events"].to_pylist()
    claimed: dict[int, float] = {}
    touched: dict[int, float] = {}
    reasons: Counter[str] = Counter()
    for row in rows:
        lead, now = row["lead_id"], row["at"]
        if row["what"] == "claimed":
            claimed[lead] = touched[lead] = now
        elif row["what"] == "visited":
            touched[lead] = now
            assert now <= claimed[lead] + 30 * DAY
        elif row["what"] == "dropped":
            reasons[row["reason"]] += 1
            due = touched[lead] + 15 * DAY if row["reason"] == "no_visit" else claimed[lead] + 30 * DAY
            assert now == pytest.approx(due, abs=1e-3)
    assert set(reasons) == {"no_visit", "no_contract"}


def test_visits_keep_to_hours_travel_and_the_key_persons_patience(scenario: Scenario, run: ModelRun) -> None:
    days: Counter[tuple[int, int]] = Counter()
    last: dict[int, float] = {}
    for row in run.tables["visits"].to_pylist():
        day = int(row["at"] // DAY)
        days[row["bd_id"], day] += 1
        assert row["at"] - day * DAY <= 1800 + scenario.crm.work_hours * 3600
        assert row["travel_s"] >= 0.0
        if row["lead_id"] in last:
            # The morning decides who receives a BD again; he may arrive up to a working day later or earlier.
            assert row["at"] - last[row["lead_id"]] >= (scenario.crm.revisit_days - 0.5) * DAY
        last[row["lead_id"]] = row["at"]
    assert max(days.values()) <= scenario.crm.visits_per_day
    assert sum(run.tables["visits"].column("travel_s").to_pylist()) > 0.0


def test_a_small_quota_starves_and_a_large_one_hoards(city: City) -> None:
    few, some, many = (
        measure(variant, simulate_pools(variant, city))
        for variant in (small(f"crm.pool.quota={quota}") for quota in (15, 45, 150))
    )
    assert few["visits_per_day"] < 0.7 * some["visits_per_day"]
    assert some["signed"] > few["signed"]
    assert some["signed"] > many["signed"]
    assert many["hoarding_share"] > some["hoarding_share"] + 0.05
    assert many["idle_lead_days"] > some["idle_lead_days"]
    assert many["unclaimed_days"] < few["unclaimed_days"]


def test_bds_who_do_not_hoard_hold_less(city: City) -> None:
    scenario = small("crm.hoarding=0", "crm.pool.quota=150")
    modest = measure(scenario, simulate_pools(scenario, city))
    greedy_scenario = small("crm.pool.quota=150")
    greedy = measure(greedy_scenario, simulate_pools(greedy_scenario, city))
    assert modest["idle_lead_days"] < 0.5 * greedy["idle_lead_days"]


def test_progress_rises_and_stop_interrupts(scenario: Scenario, city: City) -> None:
    shares: list[float] = []
    run = simulate_pools(scenario, city, progress=shares.append, stop=lambda: len(shares) >= 10)
    assert run.interrupted
    assert run.horizon_s == 10 * DAY
    assert shares == sorted(shares)
    assert max(run.tables["lead_events"].column("at").to_pylist()) <= 10 * DAY


def test_a_city_without_bds_is_refused() -> None:
    scenario = small("crm.bds=0")
    with pytest.raises(SimError, match=r"crm\.bds"):
        simulate_pools(scenario, build_city(scenario))
