"""Weeks of BDs at work: when leads appear, BDs claim, travel and visit, and managers move leads (C1, C6-C8).

Decides the course of the days; what a BD wants is `behaviour`'s, what he may is the pool rules', what comes of a visit
is `signing`'s. Rules that hold in this file:
- the epoch is the start of the first working day (`clock.start_min`), so day d's work begins at d x 86,400 s;
- every draw has an address of its own (lead and number of the visit, BD, manager), so that variants of a policy meet
  the same leads, the same luck and the same mornings (common random numbers).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from simpy import Environment, Event

from o2o_domain.leads import LeadStage
from o2o_domain.pools import PoolPolicy, idle_s
from o2o_scenarios.schema import Scenario
from o2o_sim.chance import stream
from o2o_sim.city.model import City
from o2o_sim.crm import behaviour
from o2o_sim.crm.behaviour import DAY_S, Habits
from o2o_sim.crm.pools import Pools
from o2o_sim.crm.roads import Roads
from o2o_sim.crm.signing import Luck, chance, cooled, extended

Process: TypeAlias = Generator[Event, object, None]

MORNING_S = 1800.0
"""BDs open their app within this time of the start of work, each at his own moment."""
INSIGHT = 0.6
"""Correlation of a lead's looks (what BDs see before a visit) with its propensity, in logarithms."""
LEARNING_VISITS = 2.0
"""After this many visits BDs have learned half of what they did not know of a lead's propensity."""
WARM = 1.0
"""A lead with so much remembered of earlier visits is worth an extension."""


class Season:
    """One simulated season. Build it, run `env`, then read `pools`."""

    def __init__(self, env: Environment, scenario: Scenario, city: City, roads: Roads) -> None:
        crm = scenario.crm
        self.env = env
        self.crm = crm
        self.roads = roads
        self.habits = Habits.of(crm)
        self.horizon_s = crm.days * DAY_S
        self.pools = Pools(env, policy_of(scenario), city.leads, len(city.bds))
        self._managers = [bd.manager for bd in city.bds]
        self._seed = scenario.seed
        self._luck = Luck(scenario.seed, len(city.leads))
        self._created = np.array([lead.created_s for lead in city.leads])
        self._propensity = np.array([lead.propensity for lead in city.leads])
        self._looks = _looks(scenario.seed, self._propensity)
        self._appeal = self._looks.copy()
        self._warmth = np.zeros(len(city.leads))
        """As of the last visit; it has cooled since."""
        self._extends = np.array(extended(scenario, len(city.leads)), dtype=np.bool_)
        env.process(self._arrivals())
        for bd in city.bds:
            env.process(self._bd(bd.bd_id))
        for manager in sorted(set(self._managers)):
            env.process(self._manager(manager))

    def _arrivals(self) -> Process:
        for lead_id in np.argsort(self._created, kind="stable").tolist():
            wait = float(self._created[lead_id]) - self.env.now
            if wait > 0.0:
                yield self.env.timeout(wait)
            self.pools.appear(lead_id)

    def _bd(self, bd_id: int) -> Process:
        mornings = stream(self._seed, "crm.morning", bd_id).random(self.crm.days) * MORNING_S
        for day in range(self.crm.days):
            yield self.env.timeout(day * DAY_S + float(mornings[day]) - self.env.now)
            self._extend_warm(bd_id)
            self._claim(bd_id)
            yield from self._round(bd_id, self.env.now + self.habits.work_s)

    def _extend_warm(self, bd_id: int) -> None:
        """Extend warm leads that a clock would take before the next morning, those at least worth it to this BD."""
        mine = np.fromiter(self.pools.private[bd_id], dtype=np.intp)
        ending = mine[(self.pools.due_s[mine] <= self.env.now + DAY_S) & self._extends[mine]]
        for lead_id in ending[self._warmth_now(ending) >= WARM].tolist():
            self.pools.extend(bd_id, lead_id)

    def _claim(self, bd_id: int) -> None:
        pools = self.pools
        mine = np.fromiter(pools.private[bd_id], dtype=np.intp)
        count = behaviour.leads_to_claim(
            self.habits, quota=pools.policy.quota, held=mine.size, workable=int(self._workable(mine).sum())
        )
        if count == 0:
            return
        free = np.flatnonzero(pools.open)
        travel = self.roads.seconds[self.roads.bd_place[bd_id], self.roads.lead_place[free]]
        chosen = behaviour.choose_open(self.habits, appeal=self._appeal[free], travel_s=travel, count=count)
        for lead_id in free[chosen].tolist():
            if pools.claim(bd_id, lead_id) is not None:
                return

    def _round(self, bd_id: int, end_s: float) -> Process:
        """Today's visits: plan in the morning, travel, and visit what is still his on arrival."""
        pools, roads = self.pools, self.roads
        mine = np.fromiter(pools.private[bd_id], dtype=np.intp)
        mine = mine[self._workable(mine)]
        places = roads.lead_place[mine]
        here = int(roads.bd_place[bd_id])
        plan = behaviour.plan_day(
            self.habits,
            worths=self._worths(mine),
            from_base_s=roads.seconds[here, places],
            from_lead_s=lambda position: roads.seconds[places[position], places],
        )
        for lead_id, place in zip(mine[plan].tolist(), places[plan].tolist(), strict=True):
            travel_s = float(roads.seconds[here, place]) * roads.congestion(self.env.now)
            if self.env.now + travel_s + self.habits.visit_s > end_s:
                return
            yield self.env.timeout(travel_s + self.habits.visit_s)
            here = place
            self._visit(bd_id, lead_id, travel_s)

    def _visit(self, bd_id: int, lead_id: int, travel_s: float) -> None:
        pools, now = self.pools, self.env.now
        number = int(pools.visits[lead_id])
        warmth = 0.0 if number == 0 else cooled(self._warmth[lead_id], now - pools.last_visit_s[lead_id], self.crm)
        likely = chance(
            self.crm,
            propensity=float(self._propensity[lead_id]),
            warmth=warmth,
            age_s=now - float(self._created[lead_id]),
        )
        signs = self._luck.draw(lead_id, number) < likely
        if pools.visit(bd_id, lead_id, travel_s, contract_signed=signs) is not None:
            return  # lost on the way: recycled or assigned to another BD
        self._warmth[lead_id] = warmth + 1.0
        known = (number + 1) / (number + 1 + LEARNING_VISITS)
        self._appeal[lead_id] = self._looks[lead_id] ** (1.0 - known) * self._propensity[lead_id] ** known

    def _manager(self, manager: int) -> Process:
        """Now and then a manager takes the lead that lies idle longest and gives it to whom has most room (C8)."""
        if self.crm.assignments_per_week <= 0.0:
            return
        team = [bd_id for bd_id, boss in enumerate(self._managers) if boss == manager]
        chances = stream(self._seed, "crm.manager", manager)
        while True:
            yield self.env.timeout(float(chances.exponential(7.0 * DAY_S / self.crm.assignments_per_week)))
            self._reassign(manager, team)

    def _reassign(self, manager: int, team: list[int]) -> None:
        pools, now = self.pools, self.env.now
        idle = [(pools.idle_since(lead_id), lead_id) for bd_id in team for lead_id in pools.private[bd_id]]
        if not idle or not idle_s(pools.policy, since_s=min(idle)[0], now_s=now):
            return
        lead_id = min(idle)[1]
        to = min(team, key=lambda bd_id: (len(pools.private[bd_id]), bd_id))
        hold = pools.holds[lead_id]
        if hold is not None and hold.owner != to:
            pools.assign(lead_id, to, manager=manager, is_superior=self._managers[to] == manager)

    def _workable(self, leads: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Which of these leads receive a BD again today."""
        workable: npt.NDArray[np.bool_] = self.pools.last_visit_s[leads] + self.habits.revisit_s <= self.env.now
        return workable

    def _warmth_now(self, leads: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """What the key persons still remember of earlier visits; 0 where there was none."""
        return cooled(self._warmth[leads], self.env.now - self.pools.last_visit_s[leads], self.crm)

    def _worths(self, leads: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        return behaviour.worth(
            self.habits,
            appeal=self._appeal[leads],
            warmth=self._warmth_now(leads),
            due_in_s=self.pools.due_s[leads] - self.env.now,
        )

    def signed(self) -> int:
        """Merchants signed so far."""
        return sum(stage is LeadStage.SIGNED for stage in self.pools.stage)


def policy_of(scenario: Scenario) -> PoolPolicy:
    """The pool rules' parameters as the scenario gives them."""
    pool = scenario.crm.pool
    return PoolPolicy(
        quota=pool.quota,
        term_days=pool.term_days,
        visit_days=pool.visit_days,
        contract_days=pool.contract_days,
        extension_days=pool.extension_days,
        max_extensions=pool.max_extensions,
        extension_resets=pool.extension_resets,
    )


def _looks(seed: int, propensity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What BDs see of each lead before a visit: mean about 1, correlated with its propensity."""
    if propensity.size == 0:
        return propensity.copy()
    logs = np.log(propensity)
    noise = stream(seed, "crm.looks").normal(size=propensity.size) * logs.std()
    looks: npt.NDArray[np.float64] = np.exp(INSIGHT * logs + np.sqrt(1.0 - INSIGHT**2) * noise)
    return looks
