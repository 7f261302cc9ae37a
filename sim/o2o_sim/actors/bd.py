"""BD on a city day: travels the road graph, claims open leads nearby, visits their key persons, signs (C1, C6, C8).

Decides where a BD goes next, and when he asks for an extension. Who may own a lead, and when he loses it, are the
platform's decisions; whether a visit ends in a signature is `o2o_sim.crm.signing`'s; the weeks of BDs and leads that a
pool policy shows in are `season`'s. A BD checks in where he stands, at the crossing nearest to the store (C13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from o2o_sim.actors.scene import Scene, Steps, insist
from o2o_sim.city.model import Bd as BdFacts
from o2o_sim.crm.behaviour import DAY_S
from o2o_sim.crm.signing import Luck, chance

LEADS_IN_VIEW = 8
"""Open leads a BD looks at before he claims the nearest that he can get."""
IDLE_S = 600.0
"""City seconds until a BD who finds nothing to do looks again."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit that was checked in: run seconds of the check-in and of the way to it."""

    lead_id: int
    bd_id: int
    at: float
    travel_s: float
    signed: bool


class Bd:
    """One BD, at work from the epoch for `crm.work_hours`. `node` is where he is, or where his present way leads."""

    def __init__(self, scene: Scene, facts: BdFacts, luck: Luck, extends: Sequence[bool] = ()) -> None:
        """`extends`: which leads, by lead_id, a BD keeps by an extension when a clock is about to take them."""
        self.facts = facts
        self.node = facts.node
        self.visits: list[Visit] = []
        self._scene = scene
        self._luck = luck
        self._extends = extends
        self._went_to: set[int] = set()
        self._asked_for_more: set[int] = set()

    def run(self) -> Steps:
        """The working day: own leads nobody has been to, then the nearest that can be had, one after the other."""
        scene, env = self._scene, self._scene.env
        spec = scene.scenario.crm
        until = scene.tempo.run_s(spec.work_hours * 3600.0)
        while env.now < until and len(self.visits) < spec.visits_per_day:
            lead_id = yield from self._look_after_own()
            if lead_id is None:
                lead_id = yield from self._claim_nearest()
            if lead_id is None:
                yield env.timeout(scene.tempo.run_s(IDLE_S))
                continue
            yield from self._visit(lead_id)

    def _look_after_own(self) -> Steps:
        """Extend what is about to drop (C8); the first own lead that is still to be visited, or None.

        There is one when the answer to a claim was lost, or when a superior assigned it.
        """
        scene, bd_id = self._scene, self.facts.bd_id
        reply = yield from insist(scene.env, partial(scene.port.my_leads, bd_id))
        leads: list[dict[str, Any]] = list(reply.body.get("leads", ())) if reply.ok else []
        defend_s = scene.tempo.run_s(scene.scenario.crm.defend_days * DAY_S)
        for lead in leads:
            lead_id = int(lead["lead_id"])
            warm = lead["visits"] > 0 and lead["due_in_s"] <= defend_s
            if warm and self._extends[lead_id] and lead_id not in self._asked_for_more:
                self._asked_for_more.add(lead_id)
                yield from insist(scene.env, partial(scene.port.extend, bd_id, lead_id))
        return next((int(lead["lead_id"]) for lead in leads if lead["lead_id"] not in self._went_to), None)

    def _claim_nearest(self) -> Steps:
        """The lead he got, or None."""
        scene, bd_id = self._scene, self.facts.bd_id
        reply = yield from insist(scene.env, partial(scene.port.open_leads, bd_id, *self._place(), LEADS_IN_VIEW))
        leads: list[dict[str, Any]] = list(reply.body.get("leads", ())) if reply.ok else []
        for lead in leads:
            claimed = yield from insist(scene.env, partial(scene.port.claim, bd_id, lead["lead_id"]))
            if claimed.ok:
                return int(lead["lead_id"])
        return None

    def _place(self) -> tuple[float, float]:
        graph = self._scene.city.graph
        return float(graph.lat[self.node]), float(graph.lng[self.node])

    def _visit(self, lead_id: int) -> Steps:
        scene, env, bd_id = self._scene, self._scene.env, self.facts.bd_id
        spec, lead = scene.scenario.crm, scene.city.leads[lead_id]
        way_s = scene.tempo.run_s(scene.travel.seconds(self.node, lead.node, spec.bd_kmh, scene.city_now_s))
        self.node = lead.node
        self._went_to.add(lead_id)
        yield env.timeout(way_s)
        yield env.timeout(scene.tempo.run_s(spec.visit_min * 60.0))
        reply = yield from insist(env, partial(scene.port.visit, bd_id, lead_id, *self._place(), "key person met"))
        if not reply.ok:
            return
        checked_in = env.now
        age_s = max(scene.city_now_s - lead.created_s, 0.0)
        wants = self._luck.draw(lead_id, 0) < chance(spec, propensity=lead.propensity, warmth=0.0, age_s=age_s)
        signed = False
        if wants:
            reply = yield from insist(env, partial(scene.port.sign, bd_id, lead_id))
            signed = reply.ok
        self.visits.append(Visit(lead_id, bd_id, checked_in, way_s, signed))
