"""C6, C7, C8, A7 over HTTP on a manual clock: claims, the three clocks at their edges, extension, assignment, teams."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


DAY = 86_400.0
SECOND = 1.0


async def test_claim_puts_a_lead_into_the_private_pool(team: Any) -> None:
    claimed = await team.act(team.bd, 0, "claim")
    assert claimed.status_code == 200
    assert claimed.json()["owner_id"] == team.bd.id
    mine = (await team.bd.get("/crm/leads/mine")).json()
    assert [lead["lead_id"] for lead in mine["leads"]] == [team.leads[0]]
    assert (await team.other.get("/crm/leads/mine")).json()["leads"] == []


async def test_an_owned_lead_cannot_be_claimed_by_anyone(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    for bd in (team.other, team.bd):
        refused = await team.act(bd, 0, "claim")
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "already_owned"


async def test_unknown_lead_is_404(team: Any) -> None:
    for what in ("claim", "release", "extend", "contract"):
        assert (await team.bd.post(f"/crm/leads/999999/{what}")).status_code == 404
    assert (await team.bd.get("/crm/leads/999999/history")).status_code == 404


async def test_kept_at_day_14_and_dropped_at_15_without_a_visit(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    team.world.clock.advance(14 * DAY)
    assert await team.owner(0) == team.bd.id
    team.world.clock.advance(DAY - SECOND)
    assert await team.owner(0) == team.bd.id
    team.world.clock.advance(SECOND)
    assert await team.owner(0) is None
    assert (await team.history(0))[-1]["reason"] == "no_visit"


async def test_kept_at_day_29_and_dropped_at_30_without_a_contract(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    for _ in range(2):
        team.world.clock.advance(10 * DAY)
        assert (await team.visit(team.bd, 0)).status_code == 201
    team.world.clock.advance(9 * DAY)
    assert await team.owner(0) == team.bd.id
    team.world.clock.advance(DAY - SECOND)
    assert await team.owner(0) == team.bd.id
    team.world.clock.advance(SECOND)
    assert await team.owner(0) is None
    assert (await team.history(0))[-1]["reason"] == "no_contract"


async def test_kept_at_day_44_and_dropped_at_45_though_visited_and_signed(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    for _ in range(4):
        team.world.clock.advance(10 * DAY)
        assert (await team.visit(team.bd, 0)).status_code == 201
        signed = await team.act(team.bd, 0, "contract", {"convert": False})
        assert signed.status_code == 200
    team.world.clock.advance(4 * DAY)
    assert await team.owner(0) == team.bd.id
    team.world.clock.advance(DAY - SECOND)
    assert await team.owner(0) == team.bd.id
    team.world.clock.advance(SECOND)
    assert await team.owner(0) is None
    assert (await team.history(0))[-1]["reason"] == "term"


async def test_the_rules_bind_at_their_instant_before_any_recycle(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    ctx = team.world.app.state.ctx
    team.world.clock._now += 15 * DAY  # time passes and no task wakes: nothing has been swept
    assert ctx.clock.now() == team.world.clock.now()
    near = (await team.other.get("/crm/leads/open", **team.place(0), k=1)).json()["leads"]
    assert near[0]["lead_id"] == team.leads[0]
    assert (await team.bd.get("/crm/leads/mine")).json()["leads"] == []
    late = await team.visit(team.bd, 0)
    assert late.status_code == 403
    taken = await team.act(team.other, 0, "claim")
    assert taken.status_code == 200
    assert [event["what"] for event in await team.history(0)] == ["created", "claimed", "dropped", "claimed"]


async def test_the_recycle_runs_by_itself(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    team.world.clock.advance(15 * DAY)
    await team.world.client.get("/healthz")
    for _ in range(1000):  # the task works on its own; a read is given to it each time
        if (await team.history(0))[-1]["what"] == "dropped":
            break
    assert (await team.history(0))[-1]["actor_id"] is None
    assert (await team.world.admin.post("/crm/recycle")).json()["dropped"] == 0


async def test_what_is_due_does_not_fill_the_quota(team: Any) -> None:
    await team.add(40)
    for number in range(40):
        assert (await team.act(team.bd, number, "claim")).status_code == 200
    full = await team.act(team.bd, 40, "claim")
    assert full.json()["error"]["code"] == "quota_reached"
    team.world.clock._now += 15 * DAY
    assert (await team.act(team.bd, 40, "claim")).status_code == 200


async def test_release_frees_lead_and_quota(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    assert (await team.act(team.other, 0, "release")).status_code == 403
    assert (await team.act(team.bd, 0, "release")).status_code == 200
    assert (await team.act(team.bd, 0, "release")).status_code == 403
    assert (await team.act(team.other, 0, "claim")).status_code == 200
    released = [event for event in await team.history(0) if event["what"] == "released"]
    assert [(event["actor_id"], event["owner_id"], event["owned"]) for event in released] == [(team.bd.id, None, 0)]


async def test_extension_lengthens_the_term_by_the_policy_and_only_so_often(team: Any) -> None:
    claimed = (await team.act(team.bd, 0, "claim")).json()
    assert (await team.act(team.other, 0, "extend")).status_code == 403
    extended = await team.act(team.bd, 0, "extend")
    assert extended.status_code == 200
    assert extended.json()["extensions"] == 1
    assert extended.json()["due_at"] == claimed["due_at"]  # policy "term": the visit clock runs on
    again = await team.act(team.bd, 0, "extend")
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "no_extensions_left"
    for _ in range(4):
        team.world.clock.advance(10 * DAY)
        await team.visit(team.bd, 0)
        await team.act(team.bd, 0, "contract", {"convert": False})
    team.world.clock.advance(10 * DAY)
    assert await team.owner(0) == team.bd.id  # day 50: beyond the term without the extension
    await team.visit(team.bd, 0)
    team.world.clock.advance(10 * DAY - SECOND)
    assert await team.owner(0) == team.bd.id
    team.world.clock.advance(SECOND)  # day 60
    assert await team.owner(0) is None


async def test_a_superior_assigns_a_public_lead_and_history_names_them(team: Any) -> None:
    assigned = await team.act(team.manager, 0, "assign", {"to": team.bd.id})
    assert assigned.status_code == 200
    assert assigned.json()["owner_id"] == team.bd.id
    last = (await team.history(0))[-1]
    assert (last["what"], last["actor_ref"], last["owner_ref"]) == ("assigned", team.manager.ref, team.bd.ref)


async def test_assignment_moves_a_held_lead_within_the_team_and_restarts_the_term(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    team.world.clock.advance(10 * DAY)
    await team.visit(team.bd, 0)
    moved = await team.act(team.manager, 0, "assign", {"to": team.other.id})
    assert moved.status_code == 200
    assert (await team.bd.get("/crm/leads/mine")).json()["leads"] == []
    assert (await team.visit(team.bd, 0)).status_code == 403
    assert (await team.visit(team.other, 0)).status_code == 201


async def test_a_non_superior_gets_403(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    attempts = [
        (team.bd, 1, team.bd.id),  # a BD, to himself
        (team.other, 0, team.other.id),  # a BD, from a colleague
        (team.rival_manager, 1, team.bd.id),  # a manager, to another's BD
        (team.rival_manager, 0, team.rival.id),  # a manager, from another's BD
        (team.world.admin, 1, team.bd.id),  # an administrator is nobody's superior
    ]
    for actor, number, to in attempts:
        refused = await team.act(actor, number, "assign", {"to": to})
        assert refused.status_code == 403, (actor.ref, number)
    assert await team.owner(0) == team.bd.id
    assert await team.owner(1) is None


async def test_assignment_knows_the_quota_and_what_a_bd_is(team: Any) -> None:
    await team.add(40)
    for number in range(40):
        assert (await team.act(team.bd, number, "claim")).status_code == 200
    full = await team.act(team.manager, 40, "assign", {"to": team.bd.id})
    assert (full.status_code, full.json()["error"]["code"]) == (409, "quota_reached")
    user = await team.world.actor("consumer")
    assert (await team.act(team.manager, 40, "assign", {"to": user.id})).status_code == 422
    assert (await team.act(team.manager, 40, "assign", {"to": 10**6})).status_code == 422


async def test_a_manager_sees_the_own_subtree_only(team: Any) -> None:
    await team.act(team.bd, 0, "claim")
    await team.act(team.rival, 1, "claim")
    seen = (await team.manager.get("/crm/leads/team")).json()["leads"]
    assert [lead["lead_id"] for lead in seen] == [team.leads[0]]
    assert (await team.bd.get("/crm/leads/team")).status_code == 403
