"""The model's side of the parity tests: a run in which every call of the platform's port is written down.

An act is something that happened to the modelled platform: an actor's call with its answer, or an event that the
platform meets by itself (an order arrives, a callback comes, a deadline passes), at the instant of its decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
from simpy import Environment, Event

from o2o_results.tables import TABLES
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.actors.spawn import spawn_actors
from o2o_sim.city.build import build_city
from o2o_sim.city.model import City
from o2o_sim.demand.build import build_trace
from o2o_sim.platform_model.model import PlatformModel
from o2o_sim.platform_model.run_tables import platform_tables
from o2o_sim.tempo import Tempo
from o2o_sim.world import horizon_s

CALLS = (
    *("accept", "reject", "ready", "redeem", "rider_online", "rider_offline", "picked_up", "delivered", "review"),
    *("open_leads", "my_leads", "claim", "visit", "sign", "extend"),
    *("next_ticket", "fetch_ticket", "ticket_result"),
)
"""Calls of the port that are written down."""


@dataclass(frozen=True, slots=True)
class Act:
    """`at` is run seconds; `status` and `body` are the model's answer (201 and nothing for its own events)."""

    at: float
    verb: str
    args: tuple[Any, ...]
    status: int = 201
    body: Any = field(default_factory=dict)


class Recorder:
    """The modelled platform, with `CALLS` written down in the order in which they were decided."""

    def __init__(self, model: PlatformModel) -> None:
        self.acts: list[Act] = []
        self._model = model

    def __getattr__(self, name: str) -> Any:
        whole = getattr(self._model, name)
        return partial(self._call, name, whole) if name in CALLS else whole

    def _call(self, name: str, call: Callable[..., Event], *args: Any) -> Event:
        event = call(*args)

        def decided(done: Event) -> None:
            reply: Any = done.value
            self.acts.append(Act(self._model.desk.env.now, name, args, reply.status, reply.body))

        assert event.callbacks is not None
        event.callbacks.append(decided)  # right behind the platform's own, which decides
        return event


@dataclass(frozen=True)
class Recorded:
    """A finished model run and everything that happened to its platform, in order."""

    scenario: Scenario
    city: City
    trace: Trace
    acts: list[Act]
    tables: dict[str, pa.Table]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A run table as rows."""
        rows: list[dict[str, Any]] = self.tables[table].to_pylist()
        return rows


def record(scenario: Scenario, demand: Scenario | None = None) -> Recorded:
    """Run the scenario in the model, on the trace of `demand` if given, and write down what happened."""
    city = build_city(scenario)
    trace = build_trace(demand or scenario, city)
    env, tempo = Environment(), Tempo(scenario.clock.speed)
    model = PlatformModel(env, scenario, city, trace, tempo, decisions=True)
    recorder = Recorder(model)
    env.process(model.run())
    actors = spawn_actors(env, scenario, city, trace, recorder, tempo)
    env.run(until=horizon_s(scenario))
    others = {name: table for name, table in actors.tables(env.now).items() if name != "samples"}
    return _recorded(recorder, model, scenario, city, trace, others)


def record_script(scenario: Scenario, city: City, trace: Trace, script: Sequence[tuple[float, str, Any]]) -> Recorded:
    """Run the trace without actors: `script` has the calls, as (run seconds, call of the port, arguments) in order."""
    env = Environment()
    model = PlatformModel(env, scenario, city, trace, Tempo(scenario.clock.speed), decisions=True)
    recorder = Recorder(model)
    env.process(model.run())
    for at, verb, args in script:
        env.run(until=at)
        getattr(recorder, verb)(*args)
    env.run(until=env.now + 1.0)
    return _recorded(recorder, model, scenario, city, trace, {})


def _recorded(
    recorder: Recorder, model: PlatformModel, scenario: Scenario, city: City, trace: Trace, others: dict[str, pa.Table]
) -> Recorded:
    tables = {name: schema.empty_table() for name, schema in TABLES.items()}
    tables |= platform_tables(model) | others
    acts = sorted([*recorder.acts, *_own_events(tables)], key=lambda act: act.at)
    return Recorded(scenario, city, trace, acts, tables)


def _own_events(tables: dict[str, pa.Table]) -> list[Act]:
    """Arrivals, callbacks and deadlines, which nobody calls for."""
    acts = []
    from_wallets = {row["order_id"] for row in tables["payments"].to_pylist() if row["method"] == "balance"}
    late = {row["order_id"]: row["at"] for row in tables["ledger"].to_pylist() if row["reason"] == "late_payment"}
    for order in tables["orders"].to_pylist():
        number, reason = order["order_id"], order["reason"]
        if order["state"] in ("lost", "not_sent"):
            continue
        placed = order["closed"] if order["state"] == "refused" else order["accepted"]
        acts.append(Act(placed, "place", (number,)))
        if order["committed"] is not None and number not in from_wallets:  # which are paid as they are placed
            acts.append(Act(order["committed"], "callback", (number, "ok")))
        if reason == "payment_refused":
            acts.append(Act(order["closed"], "callback", (number, "refused")))
        elif reason == "unpaid":
            acts.append(Act(order["closed"], "unpaid", (number,)))
            if number in late:
                acts.append(Act(late[number], "callback", (number, "ok")))
        elif reason == "no_rider":
            acts.append(Act(order["closed"], "no_rider", (number,)))
    return acts
