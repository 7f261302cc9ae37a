"""S11: a live run whose recommendation service is killed and comes back: nothing is lost, and the tables tell of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.errors import UsageError
from o2o_cli.jobs import world
from o2o_cli.jobs.live import compressed, run_load
from o2o_loadtest.live import Target
from o2o_results.outages import planned, spells, tally
from o2o_results.run import RunReader
from o2o_scenarios.schema import PlatformSpec, Scenario

PLATFORM = PlatformSpec.model_validate(
    {
        "helpers": ["risk", "recommendation", "reviews"],
        "helper_faults": [{"helper": "recommendation", "kill_s": 30, "back_s": 180}],
        "breaker": {"timeout_s": 10.0, "open_s": 0.3},
    }
)


@pytest.fixture(scope="module")
def scenario(small: Any) -> Scenario:
    """The small city, with orders enough to ask each helper often; run seconds are a sixtieth of the city's."""
    demand = small.demand.model_copy(update={"orders_per_hour": 2000.0})
    users = small.city.users.model_copy(update={"count": 400})  # so that nobody orders too often to be trusted
    city = small.city.model_copy(update={"users": users})
    busy = small.model_copy(update={"platform": PLATFORM, "demand": demand, "city": city})
    return compressed(busy, speed=None, duration_s=None, drain_s=None)


@pytest.fixture(scope="module")
def run(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    folder = tmp_path_factory.mktemp("live") / "run"
    return run_load(scenario, built=world.build(scenario, quiet=True), out=folder, quiet=True)


def test_it_keeps_every_promise(run: RunReader) -> None:
    assert [verdict for verdict in run.manifest.verdicts if not verdict.ok] == []
    checked = {verdict.name: verdict.checked for verdict in run.manifest.verdicts}
    assert checked["helpers.orders_go_on"] > 40
    assert checked["helpers.changes_legal"] >= 3
    assert checked["helpers.outages_seen"] == 1


def test_the_helper_was_killed_its_breaker_opened_and_closed_after_its_return(
    run: RunReader, scenario: Scenario
) -> None:
    (outage,) = planned(scenario)
    assert (outage.begin_s, outage.end_s) == (0.5, 3.0)
    done = run.manifest.notes["helper_faults"]
    assert [(fault["helper"], fault["what"]) for fault in done] == [
        ("recommendation", "killed"),
        ("recommendation", "started"),
    ]
    killed, started = (fault["at"] for fault in done)
    assert outage.begin_s <= killed < outage.end_s <= started
    mine = [spell for spell in spells(run.table("breakers")) if spell.helper == "recommendation"]
    assert killed < mine[0].begin_s < mine[0].end_s
    assert mine[0].end_s > started
    assert tally(run.table("orders"), outage).success == 1.0


def test_users_looked_at_pages_and_every_page_came(run: RunReader) -> None:
    asked = [row for row in run.table("requests").to_pylist() if row["name"] == "GET /merchants/{id}/page"]
    orders = sum(row["kind"] == "order" for row in run.table("orders").to_pylist())
    assert len(asked) > 0.95 * orders
    assert Counter(row["status"] for row in asked) == {200: len(asked)}


def test_nothing_is_left_behind(run: RunReader, processes_of: Any) -> None:
    assert list(run.folder.glob("live-*")) == []
    assert processes_of(run.folder) == []
    assert (run.folder / "logs" / "recommendation.log").exists()


def test_the_helpers_of_somebody_elses_platform_are_not_killed(scenario: Scenario, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only kill those of a platform of its own"):
        run_load(scenario, built=world.build(scenario, quiet=True), target=Target("x", url="http://127.0.0.1:1"))
