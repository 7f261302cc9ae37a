"""Tickets that the merchants' apps fetch: the same answers and the same end of each ticket in both worlds (A14)."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_domain import rules
from o2o_domain.decisions import Decision
from o2o_platform.printing import remote, units

pytestmark = pytest.mark.anyio

ACK_S, DEADLINE_S = 20.0, 180.0
OUTCOME = ("state", "code", "attempts", "escalation")

SCRIPT: list[tuple[float, str, Any]] = [
    (10.0, "fetch_ticket", (0, "0")),  # nothing was shown yet
    (11.0, "next_ticket", (0,)),
    (11.5, "next_ticket", (0,)),  # looking changes nothing
    (12.0, "fetch_ticket", (0, "0")),
    (12.5, "fetch_ticket", (0, "0")),  # the same again
    (13.0, "next_ticket", (0,)),  # one is under way
    (14.0, "ticket_result", (1, "0", None)),  # not this shop's
    (15.0, "ticket_result", (0, "0", None)),
    (15.5, "ticket_result", (0, "0", None)),  # repeated
    (16.0, "ticket_result", (0, "0", "paper_end")),  # too late to take it back
    (16.5, "fetch_ticket", (0, "0")),
    (20.0, "next_ticket", (0,)),
    (21.0, "fetch_ticket", (0, "1")),
    (22.0, "ticket_result", (0, "1", "paper_end")),
    (22.5, "ticket_result", (0, "1", None)),  # it has failed
    (30.0, "next_ticket", (0,)),
    (31.0, "fetch_ticket", (0, "2")),
    (40.0, "next_ticket", (0,)),  # nobody knows of the third yet
    (55.0, "next_ticket", (0,)),  # unconfirmed by now: the fourth
    (56.0, "fetch_ticket", (0, "2")),  # never given out again
    (57.0, "ticket_result", (0, "2", None)),  # late, and believed
    (60.0, "fetch_ticket", (0, "3")),
    (85.0, "ticket_result", (0, "3", "cover_open")),  # late: unconfirmed before, failed now
    (90.0, "next_ticket", (0,)),
    (200.0, "fetch_ticket", (0, "4")),  # shown, and overtaken by its deadline
    (201.0, "next_ticket", (0,)),
    (202.0, "ticket_result", (0, "77", None)),
]
ANSWERS = [
    *(409, 200, 200, 200, 200, 204, 404, 200, 200, 200, 409),
    *(200, 200, 200, 200),
    *(200, 200, 204, 200, 409, 200),
    *(200, 200, 200, 409, 204, 404),
]
ENDS = [
    ("printed", None, 1, None),
    ("failed", "paper_end", 1, "app"),
    ("printed", "no_result", 1, "app"),
    ("failed", "cover_open", 1, "app"),
    ("failed", "deadline", 0, "app"),
]


@pytest.fixture(scope="module")
def run(town: Any, intents: Any, record_script: Any) -> Any:
    """Five orders of one merchant, and an app that does what the script says."""
    printing = {"age": "app_printer", "ack_timeout_s": ACK_S, "deadline_s": DEADLINE_S}
    scenario, city = town({"printing": printing, "platform": {"payment": {"deadline_s": 600.0}}})
    trace = intents(city, *({"intended_s": 0.5 * number} for number in range(5)))
    return record_script(scenario, city, trace, SCRIPT)


def _calls(acts: list[Any]) -> list[int]:
    return [place for place, act in enumerate(acts) if act.verb in ("next_ticket", "fetch_ticket", "ticket_result")]


def test_the_model_answers_as_the_protocol_says(run: Any) -> None:
    assert [run.acts[place].status for place in _calls(run.acts)] == ANSWERS
    tickets = sorted(run.rows("tickets"), key=lambda row: row["order_id"])
    assert [tuple(row[name] for name in OUTCOME) for row in tickets] == ENDS
    for row in run.rows("decisions"):
        logged = Decision(row["rule"], row["input"], row["output"])
        assert rules.replay(logged) == logged


async def test_the_platform_answers_and_ends_alike(run: Any, replay: Any, anyio_backend: str) -> None:
    async def sweep(twin: Any, until: float) -> None:
        """What the platform's sweeps do, at every moment at which something may be due before the next act."""
        ctx = twin.world.app.state.ctx
        policy = ctx.settings.print_policy
        limits = {"offer_s": 1e9, "result_s": ctx.settings.print_result_s}
        now = twin.world.clock.now()
        while now < until:
            now = min(now + 0.5, until)
            at = now
            await ctx.db.write(lambda conn, at=at: remote.lapse(conn, policy, at, **limits, limit=100))
            await ctx.db.write(lambda conn, at=at: units.watch(conn, policy, at, 100))

    async with replay(run, step=sweep) as (twin, answers):
        told = [(answers[place][0], run.acts[place]) for place in _calls(run.acts)]
        assert [status for status, _ in told] == [act.status for _, act in told]
        shown = [
            (answers[place][1], run.acts[place].body)
            for place in _calls(run.acts)
            if run.acts[place].verb == "next_ticket" and run.acts[place].status == 200
        ]
        assert shown
        assert all(theirs == mine for theirs, mine in shown)
        orders = {
            row["order_id"]: int(row["order_ref"].removeprefix("intent-")) for row in await twin.world.export("orders")
        }
        theirs = {orders[row["order_id"]]: row for row in await twin.world.export("tickets")}
        for mine in run.rows("tickets"):
            other = theirs[mine["order_id"]]
            assert [other[name] for name in OUTCOME] == [mine[name] for name in OUTCOME], (mine, other)
