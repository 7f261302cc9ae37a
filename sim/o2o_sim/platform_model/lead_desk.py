"""Lead desk: leads, private pools and visits as requests of BDs to the modelled platform (C1, C6-C8, C13).

Decides how requests are answered; who may hold a lead, and when it drops, is decided by the pools of `o2o_sim.crm`, the
same shell around the domain's rules in which the weeks are simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from simpy import Event

from o2o_domain.geo import haversine_m
from o2o_domain.pools import IDLE_DAYS, PoolPolicy
from o2o_domain.refusal import Refused
from o2o_scenarios.schema import PoolSpec
from o2o_sim.crm.pools import Pools
from o2o_sim.platform_model.desk import OK, Desk, refusal
from o2o_sim.port import Reply
from o2o_sim.tempo import Tempo


def pool_policy(spec: PoolSpec, tempo: Tempo) -> PoolPolicy:
    """The scenario's pool rules in run time: at speed 10, a day of the rules is a tenth of a day."""
    return PoolPolicy(
        quota=spec.quota,
        term_days=tempo.run_s(spec.term_days),
        visit_days=tempo.run_s(spec.visit_days),
        contract_days=tempo.run_s(spec.contract_days),
        extension_days=tempo.run_s(spec.extension_days),
        max_extensions=spec.max_extensions,
        extension_resets=spec.extension_resets,
        idle_days=tempo.run_s(IDLE_DAYS),
    )


class LeadDesk:
    """Answers BDs."""

    def __init__(self, desk: Desk) -> None:
        leads = tuple(replace(lead, created_s=desk.tempo.run_s(lead.created_s)) for lead in desk.city.leads)
        policy = pool_policy(desk.scenario.crm.pool, desk.tempo)
        note = None if desk.decisions is None else desk.decisions.note
        self.pools = Pools(desk.env, policy, leads, len(desk.city.bds), note=note)
        self._desk = desk
        self._x_m, self._y_m = _metres(leads, desk)
        for lead in leads:
            if lead.created_s <= 0.0:
                self.pools.appear(lead.lead_id)
            else:
                desk.later(lead.created_s, partial(self._appear, lead.lead_id))

    def tables(self) -> dict[str, pa.Table]:
        """`leads` and `lead_events` as of now (and the check-ins as `visits`, without their ways)."""
        self.pools.close()
        return self.pools.tables()

    def open_leads(self, bd_id: int, lat: float, lng: float, k: int) -> Event:
        """The k nearest leads of the public pool."""

        def decide() -> Reply:
            free = np.flatnonzero(self.pools.open)
            return self._listed(free, lat, lng, k)

        return self._request("GET /crm/leads/open", decide)

    def my_leads(self, bd_id: int) -> Event:
        """A BD's private pool: first what drops first."""

        def decide() -> Reply:
            pools = self.pools
            held = sorted((float(pools.due_s[lead_id]), lead_id) for lead_id in pools.private[bd_id])
            now = self._desk.env.now
            return Reply(200, {"leads": [{**self._lead(lead_id), "due_in_s": due - now} for due, lead_id in held]})

        return self._request("GET /crm/leads/mine", decide)

    def claim(self, bd_id: int, lead_id: int) -> Event:
        """Into the private pool."""
        return self._request("POST /crm/leads/{id}/claim", lambda: self.pools.claim(bd_id, lead_id))

    def visit(self, bd_id: int, lead_id: int, lat: float, lng: float, note: str) -> Event:
        """Check in a visit."""
        lead = self.pools.leads[lead_id]
        away_m = haversine_m(lat, lng, lead.lat, lead.lng)
        return self._request(
            "POST /crm/leads/{id}/visits",
            lambda: self.pools.visit(bd_id, lead_id, 0.0, contract_signed=False, distance_m=away_m),
        )

    def sign(self, bd_id: int, lead_id: int) -> Event:
        """Hand in a signed contract."""
        return self._request("POST /crm/leads/{id}/contract", lambda: self.pools.sign(bd_id, lead_id))

    def extend(self, bd_id: int, lead_id: int) -> Event:
        """Lengthen the protection."""
        return self._request("POST /crm/leads/{id}/extend", lambda: self.pools.extend(bd_id, lead_id))

    def _appear(self, lead_id: int, _: Event) -> None:
        self.pools.appear(lead_id)

    def _request(self, name: str, decide: Callable[[], Reply | Refused | None]) -> Event:
        def reply() -> Reply:
            decided = decide()
            if decided is None:
                return OK
            return refusal(decided) if isinstance(decided, Refused) else decided

        return self._desk.request("bd", name, None, self._desk.service.other(), reply)

    def _listed(self, lead_ids: np.ndarray[Any, np.dtype[np.intp]], lat: float, lng: float, k: int) -> Reply:
        """The k nearest of `lead_ids` by the domain's distance, ties to the lower id.

        On a plane, the distance is off by less than half a percent in a city; so whoever may be among the k nearest is
        found there, and only those are measured.
        """
        here_x, here_y = _project(np.array([lat]), np.array([lng]), self._desk)
        flat_m = np.hypot(self._x_m[lead_ids] - here_x[0], self._y_m[lead_ids] - here_y[0])
        if lead_ids.size > k:
            lead_ids = lead_ids[flat_m <= 1.01 * np.partition(flat_m, k - 1)[k - 1] + 1.0]
        leads = self.pools.leads
        away = sorted((haversine_m(lat, lng, leads[i].lat, leads[i].lng), i) for i in lead_ids.tolist())
        return Reply(200, {"leads": [self._lead(lead_id) for _, lead_id in away[:k]]})

    def _lead(self, lead_id: int) -> dict[str, Any]:
        lead = self.pools.leads[lead_id]
        stage, visits = str(self.pools.stage[lead_id]), int(self.pools.visits[lead_id])
        return {"lead_id": lead_id, "lat": lead.lat, "lng": lead.lng, "stage": stage, "visits": visits}


def _project(lat: Any, lng: Any, desk: Desk) -> tuple[Any, Any]:
    """Degrees to metres on a plane that is true around the city's middle (good enough to sort by distance)."""
    middle = np.radians(float(desk.city.graph.lat.mean()))
    return np.radians(lng) * np.cos(middle) * 6_371_000.0, np.radians(lat) * 6_371_000.0


def _metres(leads: tuple[Any, ...], desk: Desk) -> tuple[Any, Any]:
    return _project(np.array([lead.lat for lead in leads]), np.array([lead.lng for lead in leads]), desk)
