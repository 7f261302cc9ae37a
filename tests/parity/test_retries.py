"""The same failures at the printer, the same decisions about the ticket: retry, unconfirmed, given up (A14).

The model draws the fault and the repair; the platform meets them on a real TCP peer, its clock moved to the instants
of the model's attempts.
"""

from __future__ import annotations

from typing import Any

import pytest

from o2o_domain import rules

pytestmark = pytest.mark.anyio

OUTCOME = ("state", "code", "attempts", "escalation")
UNTIL_S = 100.0
"""Before the deadline: what follows then is `test_late_tickets`'s."""
FAULTS = {
    "paper_end, soon repaired": {"paper_end": 1.0, "repair_mean_s": 5.0},
    "paper_end, never repaired": {"paper_end": 1.0, "repair_mean_s": 1e6},
    "offline, soon repaired": {"offline": 1.0, "repair_mean_s": 5.0},
    "offline, never repaired": {"offline": 1.0, "repair_mean_s": 1e6},
    "lost answer": {"lost_ack": 1.0},
    "none": {},
}


@pytest.fixture(params=FAULTS)
def one_ticket(request: Any, town: Any, intents: Any, record_script: Any) -> Any:
    """A run of one order, whose ticket meets a fault."""
    printing = {"max_attempts": 4, "retry_backoff_s": 1.5, "faults": FAULTS[request.param]}
    scenario, city = town({"printing": printing})
    return record_script(scenario, city, intents(city, {}), [(UNTIL_S, "rider_online", (0, 31.0, 121.0, 20.0))])


async def test_the_platform_decides_about_the_ticket_as_the_model_did(
    one_ticket: Any, platform_world: Any, peer: Any, eventually: Any, anyio_backend: str
) -> None:
    (mine,) = one_ticket.rows("tickets")
    failures = [
        rules.read(row["input"]) for row in one_ticket.rows("decisions") if row["rule"].endswith("after_failure")
    ]
    printing = one_ticket.scenario.printing
    policy = {"print_max_attempts": printing.max_attempts, "print_backoff_s": printing.retry_backoff_s}
    async with platform_world(**policy, print_ack_timeout_s=printing.ack_timeout_s) as world:
        printer = {"host": "127.0.0.1", "port": peer.port, "width_cols": 48}
        await _break(peer, failures[0]["outcome"] if failures else None)
        shop, user = await world.shop(printer=printer), await world.actor("consumer")
        await world.paid(user, shop)
        start = world.clock.now() - mine["queued"]
        for number, failure in enumerate(failures, start=1):
            if failure["outcome"] == "silent":
                await eventually(lambda: _true(peer.unanswered))
            await _until(world, start + failure["now"])

            async def failed(number: int = number) -> bool:
                (row,) = await world.export("tickets")
                return bool(row["state"] != "claimed" and row["attempts"] >= number)

            await eventually(failed)
        if failures and mine["state"] == "printed":
            await _mend(peer)
            await _until(world, start + mine["printed"])

        async def same_state() -> Any:
            (row,) = await world.export("tickets")
            return row if row["state"] == mine["state"] else None

        theirs = await eventually(same_state)
        assert [theirs[name] for name in OUTCOME] == [mine[name] for name in OUTCOME]
        # Bytes left as often as in the model: once, or never.
        assert len(peer.tickets) == len(one_ticket.rows("receipts"))


async def _true(value: Any) -> Any:
    return value


async def _break(peer: Any, outcome: str | None) -> None:
    if outcome == "paper_end":
        peer.paper = 0x72
    elif outcome == "refused":
        await peer.stop()
    elif outcome == "silent":
        peer.answers = False


async def _mend(peer: Any) -> None:
    peer.paper = 0x12
    if not peer._server.is_serving():
        await peer.start(peer.port)


async def _until(world: Any, at: float) -> None:
    world.clock.advance(max(at - world.clock.now(), 0.0))
