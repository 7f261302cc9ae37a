"""Every request at every state of an order, in both worlds: the same answers, 409 for what the table forbids (A13)."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

PATHS = {
    "pending_payment": (),
    "paid": (),
    "closed": (),
    "payment_failed": (),
    "cooking": ("accept",),
    "ready": ("accept", "ready"),
    "picked_up": ("accept", "ready", "picked_up"),
    "delivered": ("accept", "ready", "picked_up", "delivered"),
    "rejected": ("reject",),
}
"""How an order comes into a state, once it has been paid (or not)."""
CALLS = ("accept", "reject", "ready", "picked_up", "delivered", "review")
DEADLINE_S, NEVER_S = 60.0, 1e6
ARRIVALS_S = 100.0
"""Orders arrive here, but for those that nobody pays until their deadline."""


def _args(call: str, order: int, rider: int | None) -> tuple[Any, ...]:
    who = 0 if rider is None else rider
    return {
        "accept": (0, order),
        "reject": (0, order, "no time"),
        "ready": (0, order),
        "picked_up": (who, order),
        "delivered": (who, order, 31.0, 121.0),
        "review": (order % 40, order, 5),
    }[call]


@pytest.fixture(scope="module")
def every_call(town: Any, intents: Any, record_script: Any) -> tuple[Any, dict[int, tuple[str, str]]]:
    """A run in which each call is made at each state, and which order has which (state, call)."""
    over = {"platform": {"payment": {"deadline_s": DEADLINE_S}}, "city": {"riders": {"count": 60}}}
    scenario, city = town(over)
    pairs = sorted(((state, call) for state in PATHS for call in CALLS), key=lambda pair: pair[0] != "closed")
    rows = [
        {
            "intended_s": 0.0 if state == "closed" else ARRIVALS_S + number * 0.01,
            "pay_confirm_s": NEVER_S if state in ("pending_payment", "closed") else 0.2,
            "pay_refused": state == "payment_failed",
        }
        for number, (state, _) in enumerate(pairs)
    ]
    trace, shop = intents(city, *rows), city.merchants[0]
    script: list[tuple[float, str, Any]] = [
        (90.0 + rider * 0.01, "rider_online", (rider, shop.lat + rider * 1e-5, shop.lng, 20.0)) for rider in range(60)
    ]
    probe = record_script(scenario, city, trace, _steps(pairs, script, None))
    rider_of = {row["order_id"]: row["rider_id"] for row in probe.rows("orders")}
    run = record_script(scenario, city, trace, _steps(pairs, script, rider_of))
    return run, dict(enumerate(pairs))


def _steps(pairs: Any, online: Any, rider_of: Any) -> list[tuple[float, str, Any]]:
    """The script: first all orders to their state, then the call on each. Without `rider_of`: only up to `accept`."""
    script, at = list(online), ARRIVALS_S + 10.0
    for step in range(4):
        for order, (state, _) in enumerate(pairs):
            if step < len(PATHS[state]) and (rider_of is not None or step == 0):
                rider = None if rider_of is None else rider_of[order]
                script.append((at, PATHS[state][step], _args(PATHS[state][step], order, rider)))
                at += 0.05
    for order, (_, call) in enumerate(pairs if rider_of is not None else ()):
        script.append((at, call, _args(call, order, rider_of[order])))
        at += 0.05
    return script


async def test_same_answer_to_every_call_at_every_state(every_call: Any, replay: Any, anyio_backend: str) -> None:
    run, pairs = every_call
    async with replay(run) as (twin, answers):
        seen: dict[tuple[str, str], set[Any]] = {}
        for act, (status, body) in zip(run.acts, answers, strict=True):
            assert status // 100 == act.status // 100, (act, status, body)
            if status >= 400:
                assert (status, body["error"]["code"]) == (act.status, act.body["error"]["code"]), act
            if act.verb in CALLS:
                seen.setdefault((pairs[act.args[1]][0], act.verb), set()).add(status // 100 * 100)
        assert {pair for pair, statuses in seen.items() if 200 in statuses} >= {
            ("paid", "accept"), ("paid", "reject"), ("cooking", "ready"), ("ready", "picked_up"),
            ("picked_up", "delivered"), ("delivered", "review"),
        }  # fmt: skip
        orders = {row["order_ref"]: row for row in await twin.world.export("orders")}
        for mine in run.rows("orders"):
            theirs = orders[f"intent-{mine['order_id']}"]
            assert theirs["state"] == mine["state"], (mine, theirs)
            assert theirs["rider_id"] == twin.ids.riders.get(mine["rider_id"])


def test_what_the_table_forbids_is_a_conflict(every_call: Any) -> None:
    run, pairs = every_call
    last = {act.args[1]: act for act in run.acts if act.verb in CALLS}
    for order, (state, call) in pairs.items():
        if (state, call) in {("rejected", "accept"), ("delivered", "delivered"), ("cooking", "accept")}:
            assert last[order].status == 409, last[order]
