"""One table of pool decisions at their edges, in both worlds: day 14/15, 29/30, 44/45, extension, quota (C6-C8).

A story is what happens to one lead, day by day; the question is who holds it at its end and why it dropped. The model's
side is the simulated pools with their alarms, the platform's side its API on a manual clock, with the recycle.
"""

from __future__ import annotations

from typing import Any

import pytest
from simpy import Environment

from o2o_domain.pools import PoolPolicy
from o2o_domain.refusal import Refused
from o2o_sim.city.model import Lead
from o2o_sim.crm.pools import Pools

pytestmark = pytest.mark.anyio

DAY = 86_400.0
SECOND = 1.0 / DAY
QUOTA = 3
LAT, LNG = 31.2, 121.4

VISITS = tuple((day, "visit") for day in (10.0, 20.0, 28.0, 40.0, 44.0))
STORIES: dict[str, tuple[dict[str, Any], tuple[tuple[float, str], ...], float, str | None]] = {
    # what: (settings of the pool, what the BD does on which day, the day that is looked at, reason of the drop if any)
    "kept at day 14": ({}, (), 14.0, None),
    "kept a second before day 15": ({}, (), 15.0 - SECOND, None),
    "dropped at day 15 without a visit": ({}, (), 15.0, "no_visit"),
    "a visit a second before day 15 keeps it": ({}, ((15.0 - SECOND, "visit"),), 29.0, None),
    "a visit at day 15 is too late": ({}, ((15.0, "visit"),), 15.0, "no_visit"),
    "dropped 15 days after the last visit": ({}, ((5.0, "visit"),), 20.0, "no_visit"),
    "kept 15 days less a second after the last visit": ({}, ((5.0, "visit"),), 20.0 - SECOND, None),
    "kept at day 29": ({}, VISITS, 29.0, None),
    "kept a second before day 30": ({}, VISITS, 30.0 - SECOND, None),
    "dropped at day 30 without a contract": ({}, VISITS, 30.0, "no_contract"),
    "kept at day 44": ({"contract_days": 400}, VISITS, 44.0, None),
    "kept a second before day 45": ({"contract_days": 400}, VISITS, 45.0 - SECOND, None),
    "dropped at day 45, the term": ({"contract_days": 400}, VISITS, 45.0, "term"),
    "an extension does not move the visit clock": ({}, ((1.0, "extend"),), 15.0, "no_visit"),
    "an extension moves the term": ({"contract_days": 400}, (*VISITS, (44.5, "extend")), 58.0, None),
    "and the term ends 15 days later": (
        {"contract_days": 400, "visit_days": 400},
        ((44.5, "extend"),),
        60.0,
        "term",
    ),
    "a second extension is refused": (
        {"contract_days": 400, "visit_days": 400},
        ((1.0, "extend"), (2.0, "extend")),
        60.0,
        "term",
    ),
    "an extension at the instant of the drop is too late": ({}, ((15.0, "extend"),), 15.0, "no_visit"),
    "an extension that shields from all clocks": ({"extension_resets": "all"}, ((1.0, "extend"),), 29.0, None),
    "a shield ends too": ({"extension_resets": "all"}, ((1.0, "extend"),), 30.0, "no_visit"),
    "a signature ends the hold for good": ({}, ((3.0, "visit"), (4.0, "sign")), 100.0, None),
    "no signature without a visit": ({}, ((3.0, "sign"),), 15.0, "no_visit"),
    "claimed again after the drop": ({}, ((15.0, "claim"),), 29.0, "no_visit"),
    "and dropped again": ({}, ((15.0, "claim"),), 30.0, "no_visit"),
}

Outcome = tuple[list[str], bool, list[tuple[float, str, str | None]]]
"""What was answered to each act, whether the BD holds the lead at the end, and the lead's history: (day, what, why)."""


def in_the_model(settings: dict[str, Any], acts: Any, until: float) -> Outcome:
    """Play a story in the simulated pools."""
    env = Environment()
    lead = Lead(0, "store", 0, LAT, LNG, "crawl", 1.0, 0.0)
    pools = Pools(env, PoolPolicy(quota=QUOTA, **settings), (lead,), 1)
    pools.appear(0)
    calls = {
        "claim": lambda: pools.claim(0, 0),
        "visit": lambda: pools.visit(0, 0, 60.0, contract_signed=False),
        "extend": lambda: pools.extend(0, 0),
        "sign": lambda: pools.sign(0, 0),
    }
    answers = []
    for day, what in ((0.0, "claim"), *acts):
        if day > until:
            break
        _alarms_first(env, day * DAY)
        refused = calls[what]()
        answers.append(refused.code if isinstance(refused, Refused) else "ok")
    _alarms_first(env, until * DAY)
    rows = pools.history.tables()["lead_events"].to_pylist()
    return answers, pools.holds[0] is not None, [(row["at"], row["what"], row["reason"]) for row in rows]


def _alarms_first(env: Environment, at: float) -> None:
    """Move to an instant, with what is due at it done: a drop at day 15 is before whatever else happens at day 15."""
    while env.peek() <= at:
        env.step()
    if env.now < at:
        env.run(until=at)


async def on_the_platform(world: Any, acts: Any, until: float) -> Outcome:
    """Play a story over HTTP."""
    manager = await world.actor("manager")
    bd = await world.actor("bd", manager_ref=manager.ref)
    new = {"ref": "lead", "name": "store", "lat": LAT, "lng": LNG, "source": "crawl"}
    made = await world.admin.post("/crm/leads:bulk", [new])
    lead, start = made.json()["leads"][0]["id"], world.clock.now()
    paths = {"claim": "claim", "visit": "visits", "extend": "extend", "sign": "contract"}
    answers = []
    for day, what in ((0.0, "claim"), *acts):
        if day > until:
            break
        world.clock.advance(start + day * DAY - world.clock.now())
        body = {"lat": LAT, "lng": LNG, "note": ""} if what == "visit" else {}
        answer = await bd.post(f"/crm/leads/{lead}/{paths[what]}", body)
        answers.append("ok" if answer.is_success else answer.json()["error"]["code"])
    world.clock.advance(start + until * DAY - world.clock.now())
    await world.admin.post("/crm/recycle")
    held = (await world.admin.get(f"/crm/leads/{lead}")).json()["owner_id"] == bd.id
    rows = [row for row in await world.export("lead_events") if row["lead_id"] == lead]
    return answers, held, [(row["at"] - start, row["what"], row["reason"]) for row in rows]


@pytest.mark.parametrize("story", STORIES)
async def test_the_same_story_ends_the_same_in_both_worlds(story: str, platform_world: Any, anyio_backend: str) -> None:
    settings, acts, until, reason = STORIES[story]
    mine = in_the_model(settings, acts, until)
    async with platform_world(**{f"pool_{name}": value for name, value in settings.items()}, pool_quota=QUOTA) as world:
        theirs = await on_the_platform(world, acts, until)
    drops = [why for _, what, why in mine[2] if what == "dropped"]
    assert drops[-1:] == ([] if reason is None else [reason])
    assert mine[1] == (mine[2][-1][1] not in ("dropped", "signed"))
    assert theirs[0] == mine[0]
    assert theirs[1] == mine[1]
    assert [(what, why) for _, what, why in theirs[2]] == [(what, why) for _, what, why in mine[2]]
    assert [at for at, _, _ in theirs[2]] == pytest.approx([at for at, _, _ in mine[2]], abs=0.01)


async def test_the_quota_binds_alike(platform_world: Any, anyio_backend: str) -> None:
    env = Environment()
    leads = tuple(Lead(n, f"store {n}", 0, LAT, LNG, "crawl", 1.0, 0.0) for n in range(QUOTA + 1))
    pools = Pools(env, PoolPolicy(quota=QUOTA), leads, 2)
    for lead in leads:
        pools.appear(lead.lead_id)
    asked = [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (1, 3), (0, 3)]  # (bd, lead)
    mine = [refused.code if (refused := pools.claim(*pair)) is not None else "ok" for pair in asked]
    async with platform_world(pool_quota=QUOTA) as world:
        bds = [await world.actor("bd") for _ in range(2)]
        body = [
            {"ref": f"lead-{lead.lead_id}", "name": lead.name, "lat": LAT, "lng": LNG, "source": "crawl"}
            for lead in leads
        ]
        ids = [made["id"] for made in (await world.admin.post("/crm/leads:bulk", body)).json()["leads"]]
        theirs = []
        for bd, lead_id in asked:
            answer = await bds[bd].post(f"/crm/leads/{ids[lead_id]}/claim")
            theirs.append("ok" if answer.is_success else answer.json()["error"]["code"])
    assert theirs == mine == ["ok", "ok", "already_owned", "ok", "quota_reached", "ok", "already_owned"]
