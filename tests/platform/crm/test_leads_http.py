"""C1, C2, C13 over HTTP: leads near a place, visits on the spot, conversion, append-only history, exports."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from o2o_domain.geo import haversine_m

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


async def test_claimed_and_signed_leads_are_not_open(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    await team.act(team.bd, 1, "claim")
    await team.visit(team.bd, 1)
    await team.act(team.bd, 1, "contract")
    found = (await team.other.get("/crm/leads/open", **team.place(0), k=4)).json()["leads"]
    assert [lead["lead_id"] for lead in found] == team.leads[2:]


async def test_check_in_only_near_the_store(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    radius_m = team.world.app.state.ctx.settings.visit_radius_m
    degree_m = haversine_m(31.0, 121.0, 32.0, 121.0)
    place = team.place(0)
    for metres, status in [(radius_m - 1, 201), (radius_m + 1, 409)]:
        there = {"lat": place["lat"] + metres / degree_m, "lng": place["lng"]}
        assert (await team.bd.post(f"/crm/leads/{team.leads[0]}/visits", there)).status_code == status
    assert (await team.history(0))[-1]["what"] == "visited"
    assert len([row for row in await team.world.export("visits") if row["lead_ref"] == team.ref(0)]) == 1


async def test_only_the_owner_visits(team: Any) -> None:
    assert (await team.visit(team.bd, 0)).status_code == 403
    await team.act(team.bd, 0, "claim")
    assert (await team.visit(team.other, 0)).status_code == 403


async def test_conversion_needs_a_visit_and_a_contract(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    unseen = await team.act(team.bd, 0, "contract")
    assert (unseen.status_code, unseen.json()["error"]["code"]) == (409, "no_visit")
    await team.visit(team.bd, 0)
    assert (await team.act(team.other, 0, "contract")).status_code == 403
    signed = await team.act(team.bd, 0, "contract")
    assert signed.status_code == 200
    assert (signed.json()["stage"], signed.json()["owner_id"]) == ("signed", None)
    again = await team.act(team.bd, 0, "contract")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_signed")
    for what in ("claim", "extend", "release"):
        assert (await team.act(team.bd, 0, what)).status_code in (403, 409)
    assert (await team.bd.get("/crm/leads/mine")).json()["leads"] == []


async def test_history_tells_the_whole_story_in_order(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    await team.act(team.bd, 0, "extend")
    await team.visit(team.bd, 0)
    await team.act(team.manager, 0, "assign", {"to": team.other.id})
    await team.act(team.other, 0, "contract", {"convert": False})
    await team.act(team.other, 0, "contract")
    story = [(event["what"], event["stage"], event["owner_id"], event["owned"]) for event in await team.history(0)]
    assert story == [
        ("created", "new", None, 0),
        ("claimed", "new", team.bd.id, 1),
        ("extended", "new", team.bd.id, 1),
        ("visited", "visited", team.bd.id, 1),
        ("assigned", "visited", team.other.id, 1),
        ("contract", "visited", team.other.id, 1),
        ("signed", "signed", team.other.id, 0),
    ]


async def test_history_is_append_only_in_the_database(team: Any) -> None:
    db = team.world.app.state.ctx.db
    for statement in (sa.text("UPDATE lead_events SET what = 'claimed'"), sa.text("DELETE FROM lead_events")):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            await db.write(lambda conn, statement=statement: conn.execute(statement))
    assert [event["what"] for event in await team.history(0)] == ["created"]


async def test_history_is_private_while_the_lead_is(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    path = f"/crm/leads/{team.leads[0]}/history"
    assert (await team.other.get(path)).status_code == 403
    assert (await team.bd.get(path)).status_code == 200
    assert (await team.manager.get(path)).status_code == 200
    operator = await team.world.actor("operator")
    assert (await operator.get(path)).status_code == 200


async def test_a_known_ref_keeps_its_lead(team: Any) -> None:
    body = {"ref": team.ref(0), "name": "another", "lat": 0.0, "lng": 0.0}
    again = await team.bd.post("/crm/leads", body)
    assert again.json()["id"] == team.leads[0]
    assert len(await team.history(0)) == 1


async def test_each_lead_keeps_its_source(team: Any) -> None:
    """C2."""
    made = {}
    for source in ("crawl", "bd", "merchant", "crowd"):
        body = {"ref": f"{team.ref(0)}-{source}", "name": "x", "lat": -60.0, "lng": -60.0, "source": source}
        made[source] = (await team.bd.post("/crm/leads", body)).json()["id"]
    for source, lead_id in made.items():
        assert (await team.bd.get(f"/crm/leads/{lead_id}")).json()["source"] == source
    exported = {row["lead_id"]: row["source"] for row in await team.world.export("leads")}
    assert {exported[lead_id] for lead_id in made.values()} == set(made)


async def test_senseless_leads_are_422(team: Any) -> None:
    for wrong in ({"lat": 91.0}, {"lng": -181.0}, {"source": "dream"}, {"name": ""}, {"hue": 3}):
        body = {"ref": "x", "name": "x", "lat": 1.0, "lng": 1.0, **wrong}
        assert (await team.bd.post("/crm/leads", body)).status_code == 422, wrong


async def test_exports_hold_the_run_tables_columns(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    team.world.clock.advance(10 * 86_400.0)
    await team.visit(team.bd, 0)
    await team.act(team.bd, 0, "contract")
    lead = next(row for row in await team.world.export("leads") if row["lead_ref"] == team.ref(0))
    assert (lead["claims"], lead["visits"], lead["drops"], lead["stage"]) == (1, 1, 0, "signed")
    assert lead["private_s"] == pytest.approx(10 * 86_400.0)
    assert lead["idle_s"] == pytest.approx(3 * 86_400.0)
    visits = [row for row in await team.world.export("visits") if row["lead_ref"] == team.ref(0)]
    assert [(row["bd_ref"], row["signed"]) for row in visits] == [(team.bd.ref, True)]
    events = [row for row in await team.world.export("lead_events") if row["lead_ref"] == team.ref(0)]
    assert [(row["what"], row["owned"]) for row in events] == [
        ("created", 0),
        ("claimed", 1),
        ("visited", 1),
        ("signed", 0),
    ]
