"""C1, C6-C8: weeks of random sales work over HTTP; the run's audit replays the exported history through the rules."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from o2o_platform.crm.tables import leads
from o2o_platform.settings import Settings
from o2o_results.audit import audit
from o2o_results.audit.leads import PROMISES
from o2o_results.tables import TABLES
from o2o_scenarios.schema import Scenario

pytestmark = pytest.mark.anyio

QUOTA = 3
POOL = {"quota": QUOTA, "term_days": 20, "visit_days": 5, "contract_days": 10, "extension_days": 4, "max_extensions": 1}


@pytest.fixture(params=["term", "all"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    names = {f"pool_{name}": value for name, value in POOL.items()}
    return replace(settings, **names, pool_extension_resets=request.param)


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = TABLES[name]
    return pa.Table.from_pylist([{column: row.get(column) for column in schema.names} for row in rows], schema)


async def pass_time(team: Any, seconds: float) -> None:
    """Let time pass, with a recycle at each instant at which a lead is due."""
    clock = team.world.clock
    end = clock.now() + seconds
    while True:
        due_at = await team.world.db(lambda conn: conn.execute(select(func.min(leads.c.due_at))).scalar())
        if due_at is None or due_at > end:
            break
        clock.advance(max(0.0, due_at - clock.now()) + 1e-5)  # not a rounding error before it is due
        assert (await team.world.admin.post("/crm/recycle")).status_code == 200
    clock.advance(max(0.0, end - clock.now()))


async def test_the_audit_of_the_exported_history_is_clean(team: Any) -> None:
    world, chance = team.world, random.Random(11)
    await team.add(6)
    done: Counter[tuple[str, int]] = Counter()
    for _ in range(25):
        for _ in range(6):
            await pass_time(team, chance.uniform(600.0, 8 * 3600.0))
            bd, number = chance.choice([team.bd, team.other, team.rival]), chance.randrange(len(team.leads))
            mine = [team.leads.index(one["lead_id"]) for one in (await bd.get("/crm/leads/mine")).json()["leads"]]
            what = chance.choice(["claim", "claim", "visits", "visits", "contract", "extend", "assign", "release"])
            if what not in ("claim", "assign") and mine:
                number = chance.choice(mine)
            if what == "visits":
                answer = await team.visit(bd, number)
            elif what == "assign":
                answer = await team.act(team.manager, number, what, {"to": bd.id})
            elif what in ("contract", "release") and chance.random() < 0.7:
                continue
            else:
                answer = await team.act(bd, number, what)
            done[(what, answer.status_code)] += 1
    assert min(done[("claim", 200)], done[("visits", 201)], done[("assign", 200)], done[("extend", 200)]) > 3, done
    rows = {name: await world.export(name) for name in ("leads", "lead_events", "visits")}
    assert sum(row["drops"] for row in rows["leads"]) > 3
    for visit in rows["visits"]:
        visit["travel_s"] = 0.0  # the platform does not know the way
    scenario = Scenario(
        name="pools",
        crm={"pool": {**POOL, "extension_resets": world.app.state.ctx.settings.pool_extension_resets}},  # type: ignore[arg-type]
    )
    tables = {name: table(name, content) for name, content in rows.items()}
    verdicts = audit(tables, scenario, horizon_s=world.clock.now(), live=False, promises=PROMISES)
    assert [verdict for verdict in verdicts if not verdict.ok] == []
    assert all(verdict.checked > 0 for verdict in verdicts)
