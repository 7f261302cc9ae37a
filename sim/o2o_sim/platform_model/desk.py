"""Desk: what every part of the modelled platform shares: clock, scenario, workers, service times and logs.

Decides how a request waits for a worker and is answered, and how requests and decisions are noted. What a request does
is left to the desks that handle it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simpy import Environment, Event, Timeout

from o2o_domain.decisions import to_json
from o2o_domain.refusal import Refused
from o2o_scenarios.schema import Scenario
from o2o_sim.city.model import City
from o2o_sim.platform_model.service_times import ServiceTimes
from o2o_sim.port import Reply
from o2o_sim.servers import Servers
from o2o_sim.tempo import Tempo

OK = Reply(200)
NOT_FOUND = Reply(404, {"error": {"code": "not_found", "detail": ""}})
FORBIDDEN = frozenset({"not_owner", "not_superior", "wrong_merchant"})
"""Codes of refusals that are answered with 403; all others mean that somebody else decided first, 409."""


def refusal(refused: Refused) -> Reply:
    """A rule's no as a reply."""
    status = 403 if refused.code in FORBIDDEN else 409
    return Reply(status, {"error": {"code": refused.code, "detail": refused.detail}})


class Answer(Timeout):
    """An event that succeeds after `delay` with what `decide()` returns then: the end of a service and its reply."""

    def __init__(self, env: Environment, delay: float, decide: Callable[[], Reply]) -> None:
        super().__init__(env, delay)
        self._decide = decide
        self.callbacks.append(Answer._settle)  # the first callback: those who wait see the value

    @staticmethod
    def _settle(event: Event) -> None:
        assert isinstance(event, Answer)
        event._value = event._decide()


class DecisionLog:
    """Inputs and outputs of the rules, in the order in which they were called; None in its place logs nothing."""

    def __init__(self, env: Environment) -> None:
        self.rows: list[tuple[float, str, str, str]] = []
        self._env = env

    def note(self, rule: str, inputs: Mapping[str, Any], output: Any) -> None:
        """One call of `rule` ("module.function" of o2o_domain) with these arguments."""
        self.rows.append((self._env.now, rule, to_json(inputs), to_json(output)))


@dataclass
class Desk:
    """Shared by the desks of one modelled platform; `requests` rows are as in the run table, without their id."""

    env: Environment
    scenario: Scenario
    city: City
    tempo: Tempo
    start_min: float
    service: ServiceTimes
    decisions: DecisionLog | None = None
    requests: list[tuple[int | None, str, str, float, float, int, str | None]] = field(default_factory=list)
    workers: Servers = field(init=False)

    def __post_init__(self) -> None:
        self.workers = Servers(self.scenario.platform.workers)

    @property
    def city_now_s(self) -> float:
        """City seconds since the epoch."""
        return self.tempo.city_s(self.env.now)

    @property
    def minute_of_day(self) -> int:
        """Minute of the city's day, 0..1439."""
        return int(self.start_min + self.tempo.city_s(self.env.now) / 60.0) % 1440

    def later(self, delay_s: float, callback: Callable[[Event], None]) -> None:
        """Call `callback` in `delay_s` run seconds."""
        Timeout(self.env, delay_s).callbacks.append(callback)

    def work(self, service_s: float, done: Callable[[Event], None]) -> None:
        """Queue for a worker, and call `done` when he has worked `service_s`."""
        now = self.env.now
        Timeout(self.env, self.workers.book(now, service_s) + service_s - now).callbacks.append(done)

    def request(
        self, actor: str, name: str, order_id: int | None, service_s: float, decide: Callable[[], Reply]
    ) -> Event:
        """An actor's request: waits for a worker, is worked on, decides at the end and is answered.

        What is asked at the epoch itself takes no worker's time: whoever is on shift then has logged in before, as in
        a live run, whose clock stands until they have.
        """
        now = self.env.now

        def decided() -> Reply:
            reply = decide()
            error = None if reply.ok else reply.body["error"]["code"]
            self.requests.append((order_id, actor, name, now, self.env.now, reply.status, error))
            return reply

        if now <= 0.0:
            return Answer(self.env, 0.0, decided)
        return Answer(self.env, self.workers.book(now, service_s) + service_s - now, decided)
