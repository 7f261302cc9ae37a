"""Every call on a lead, by its owner and by another, before and after visit and contract: the same answers (C1, C6)."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_cli.jobs.platform import settings_for
from o2o_domain import rules
from o2o_domain.decisions import Decision
from o2o_platform.crm.holds import policy_of
from o2o_sim.platform_model.lead_desk import pool_policy
from o2o_sim.tempo import Tempo

pytestmark = pytest.mark.anyio

FAR_DEG = 0.01
"""About a kilometre north: too far for a check-in (C13)."""


@pytest.fixture(scope="module")
def script_of_calls(town: Any, intents: Any, record_script: Any) -> Any:
    """Lead 0 from its first claim to its contract, by BD 0; BD 1 asks for everything in between."""
    scenario, city = town({"crm": {"leads": 40, "bds": 2, "pool": {"quota": 2}}})
    lead = city.leads[0]
    here, far = (lead.lat, lead.lng), (lead.lat + FAR_DEG, lead.lng)
    calls: list[tuple[str, Any]] = [
        *(("visit", (bd, 0, *here, "")) for bd in (0, 1)),
        *((verb, (0, 0)) for verb in ("sign", "extend", "claim", "claim", "sign", "extend", "extend")),
        *((verb, (1, 0)) for verb in ("claim", "sign", "extend")),
        *(("visit", (bd, 0, *place, "met")) for bd in (0, 1) for place in (far, here)),
        ("sign", (1, 0)),
        ("sign", (0, 0)),
        *((verb, (bd, 0)) for bd in (0, 1) for verb in ("claim", "sign", "extend")),
        ("visit", (0, 0, *here, "again")),
        *(("claim", (0, lead_id)) for lead_id in (1, 2, 3)),  # the contract has made room for two
        ("open_leads", (0, *here, 40)),
        *(
            ("open_leads", (1, other.lat, other.lng, k))
            for other, k in zip(city.leads[4:20], range(1, 17), strict=True)
        ),
    ]
    script = [(1.0 + 0.1 * number, verb, args) for number, (verb, args) in enumerate(calls)]
    return record_script(scenario, city, intents(city, {}), script)


def _code(status: int, body: Any) -> str:
    return "ok" if status < 400 else str(body["error"]["code"])


async def test_both_worlds_answer_alike(script_of_calls: Any, replay: Any, anyio_backend: str) -> None:
    acts = script_of_calls.acts
    async with replay(script_of_calls) as (twin, answers):
        for act, (status, body) in zip(acts, answers, strict=True):
            assert status // 100 == act.status // 100, (act, status, body)
            assert act.verb == "place" or _code(status, body) == _code(act.status, act.body), (act, body)
            if status >= 400:
                assert status == act.status
            if act.verb == "open_leads":
                mine = [twin.ids.leads[lead["lead_id"]] for lead in act.body["leads"]]
                assert mine == [lead["lead_id"] for lead in body["leads"]]
    codes = {_code(act.status, act.body) for act in acts}
    assert codes == {
        *("ok", "not_owner", "already_owned", "no_visit", "no_extensions_left", "too_far"),
        *("already_signed", "lead_closed", "quota_reached"),
    }


def test_what_was_asked_of_the_rules_is_on_record(script_of_calls: Any) -> None:
    rows = script_of_calls.rows("decisions")
    assert {"pools.claim", "pools.extend", "leads.visit", "leads.sign"} <= {row["rule"] for row in rows}
    for row in rows:
        logged = Decision(row["rule"], row["input"], row["output"])
        assert rules.replay(logged) == logged


@pytest.mark.parametrize("speed", [1.0, 4.0, 12.0])
def test_the_pools_days_are_as_long_in_both_worlds(town: Any, speed: float) -> None:
    scenario, _ = town({"clock": {"speed": speed}, "crm": {"pool": {"term_days": 20, "extension_resets": "all"}}})
    assert policy_of(settings_for(scenario)) == pool_policy(scenario.crm.pool, Tempo(speed))
