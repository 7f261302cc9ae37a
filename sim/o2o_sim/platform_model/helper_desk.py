"""Helper desk: the modelled helpers of the order path, each behind the domain's breaker (S11, A3).

Decides when a helper answers: after its service time while its process lives; at once with a failure while it is dead;
at its death with a failure for what was under way; and with a failure at the time-out if it takes longer. What a
failure does is the breaker's (`o2o_domain.breaker`), what stands in for the answer is the asker's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from simpy import Event

from o2o_domain.breaker import Breaker, BreakerPolicy, Reject, on_call, on_result
from o2o_domain.risk import RiskFacts, RiskPolicy, RiskVerdict, assess
from o2o_sim.platform_model.catalogue import Catalogue
from o2o_sim.platform_model.desk import Desk
from o2o_sim.platform_model.records import Order

PAGE = ("recommendation", "reviews")
"""Helpers that a merchant's page asks."""

Answered = Callable[[bool], None]
"""Called with whether the helper answered in time."""


@dataclass
class _Helper:
    name: str
    breaker: Breaker
    service_s: list[float]
    outages: list[tuple[float, float]]

    def dead(self, now: float) -> bool:
        return any(kill <= now < back for kill, back in self.outages)

    def next_death(self, now: float) -> float:
        return min((kill for kill, _ in self.outages if kill > now), default=float("inf"))


@dataclass
class _User:
    """What the risk scoring knows of a user."""

    ordered_at: list[float] = field(default_factory=list)
    nodes: set[int] = field(default_factory=set)


class HelperDesk:
    """Asks helpers. `changes` rows are as in the run table `breakers`."""

    def __init__(self, desk: Desk, catalogue: Catalogue) -> None:
        self.changes: list[tuple[str, float, str, str, str]] = []
        self._desk = desk
        self._catalogue = catalogue
        platform, run_s = desk.scenario.platform, desk.tempo.run_s
        self._timeout_s = platform.breaker.timeout_s
        policy = BreakerPolicy(failures=platform.breaker.failures, open_s=platform.breaker.open_s)
        self._helpers = {
            str(name): _Helper(
                name,
                Breaker(policy),
                desk.service.helper[name],
                [(run_s(x.kill_s), run_s(x.back_s)) for x in platform.helper_faults if x.helper == name],
            )
            for name in platform.helpers
        }
        self._risk_policy = RiskPolicy(window_s=run_s(RiskPolicy().window_s))
        self._users: defaultdict[int, _User] = defaultdict(_User)

    def page(self, order_id: int) -> None:
        """The user looks at the merchant's page as he orders: its parts are asked for, and nobody waits for them."""
        for name in PAGE:
            if name in self._helpers:
                self.ask(name, order_id, lambda ok: None)

    def assess(self, order: Order, then: Callable[[RiskVerdict | None], None]) -> None:
        """The verdict on an order: None if there is no such helper, `unknown` if it does not answer."""
        if "risk" not in self._helpers:
            then(None)
            return

        def answered(ok: bool) -> None:
            then(self._verdict(order) if ok else RiskVerdict.UNKNOWN)

        self.ask("risk", order.order_id, answered)

    def ask(self, name: str, order_id: int, then: Answered) -> None:
        """Ask a helper, if its breaker lets the call through; `then` is called once, now or later."""
        helper, now = self._helpers[name], self._desk.env.now
        decision = on_call(helper.breaker, now)
        self._become(helper, decision.breaker)
        if isinstance(decision, Reject):
            then(False)
            return
        if helper.dead(now):  # nobody listens there
            self._end(helper, decision.turn, now, False, then)
            return
        took_s = helper.service_s[order_id]
        ends = min(now + took_s, now + self._timeout_s, helper.next_death(now))
        ok = ends == now + took_s
        self._desk.later(ends - now, partial(self._ended, helper, decision.turn, now, ok, then))

    def _ended(self, helper: _Helper, turn: int, asked: float, ok: bool, then: Answered, _: Event) -> None:
        self._end(helper, turn, asked, ok, then)

    def _end(self, helper: _Helper, turn: int, asked: float, ok: bool, then: Answered) -> None:
        now = self._desk.env.now
        self._become(helper, on_result(helper.breaker, turn, ok=ok, took_s=now - asked, now=now))
        then(ok)

    def _become(self, helper: _Helper, breaker: Breaker) -> None:
        before, helper.breaker = helper.breaker, breaker
        if before.state is not breaker.state:
            self.changes.append((helper.name, breaker.since, before.state.value, breaker.state.value, breaker.reason))

    def _verdict(self, order: Order) -> RiskVerdict:
        now, user = self._desk.env.now, self._users[order.user_id]
        node = self._catalogue.drop_node[order.order_id]
        facts = RiskFacts(
            amount_fen=sum(line.qty * line.unit_fen for line in self._catalogue.lines(order.order_id)),
            orders_in_window=sum(at > now - self._risk_policy.window_s for at in user.ordered_at),
            orders_before=len(user.ordered_at),
            known_address=node in user.nodes,
        )
        found = assess(facts, self._risk_policy)
        if self._desk.decisions is not None:
            self._desk.decisions.note("risk.assess", {"facts": facts, "policy": self._risk_policy}, found)
        if found.verdict is not RiskVerdict.DENY:
            user.ordered_at.append(now)
            user.nodes.add(node)
        return found.verdict
