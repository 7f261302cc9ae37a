"""Rider: comes on shift, drives to merchants, waits for the dishes, drives to users, goes home (A13, S8).

Decides how an assignment is carried out and how long it takes. Which rider takes which order is the platform's choice;
what a way costs is the road graph's.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

from simpy import Event

from o2o_sim.actors.scene import Scene, Steps, insist
from o2o_sim.city.model import Rider as RiderFacts
from o2o_sim.port import Assignment, ShiftOver, Withdrawn


class Rider:
    """One rider. `node` is where he is, or where his present way leads."""

    def __init__(self, scene: Scene, facts: RiderFacts) -> None:
        self.facts = facts
        self.node = facts.node
        self.orders = 0
        """Orders delivered."""
        self.engaged: list[float] = []
        self.released: list[float] = []
        """Run seconds at which he was given an order, and was free again."""
        self.on: float | None = None
        self.off: float | None = None
        """Run seconds at which he came on shift and went off it."""
        self._scene = scene
        self._kmh = facts.speed_kmh
        self._worked = {"driving": 0.0, "service": 0.0}
        self._distance_m = 0.0
        self._activity: tuple[str, float, float, float] | None = None  # what, since when, how long, metres
        self._backlog: deque[Any] = deque()
        self._next: Event

    def run(self) -> Steps:
        """The shift. Its end is a message to himself, so that one wait covers orders and the clock."""
        scene, env = self._scene, self._scene.env
        on, off = scene.tempo.run_s(self.facts.on_s), scene.tempo.run_s(self.facts.off_s)
        if off <= env.now:
            return
        if on > 0.0 and on > env.now:  # live, those on shift at the epoch log in while the clock still runs up to it
            yield env.timeout(on - env.now)
        rider_id, graph = self.facts.rider_id, scene.city.graph
        inbox = scene.port.rider_inbox(rider_id)
        lat, lng = float(graph.lat[self.node]), float(graph.lng[self.node])
        self.on = env.now
        yield from insist(env, partial(scene.port.rider_online, rider_id, lat, lng, self._kmh))
        env.process(self._ring(off))
        self._next = inbox.get()
        over = False
        while True:
            message = yield from self._read()
            if isinstance(message, Assignment):
                self.engaged.append(env.now)
                yield from self._carry(message)
                self.released.append(env.now)
            elif isinstance(message, ShiftOver):
                over = True
            if over:
                reply = yield from insist(env, partial(scene.port.rider_offline, rider_id))
                if reply.ok:  # otherwise an order was given to him meanwhile: he carries it, and tries again
                    break
        self.off = env.now

    def _ring(self, off: float) -> Steps:
        """The alarm clock."""
        env = self._scene.env
        yield env.timeout(max(off - env.now, 0.0))
        self._scene.port.rider_inbox(self.facts.rider_id).put(ShiftOver())

    def worked(self, now: float) -> tuple[float, float, float]:
        """(driving run seconds, service run seconds, metres) up to `now`, the part of a running activity included."""
        total, metres = dict(self._worked), self._distance_m
        if self._activity is not None:
            what, since, length_s, length_m = self._activity
            share = min((now - since) / length_s, 1.0) if length_s > 0 else 1.0
            total[what] += share * length_s
            metres += share * length_m
        return total["driving"], total["service"], metres

    def _read(self) -> Steps:
        """The next message; what was read while waiting at a counter comes first."""
        if self._backlog:
            return self._backlog.popleft()
        message = yield self._next
        self._next = self._scene.port.rider_inbox(self.facts.rider_id).get()
        return message

    def _carry(self, job: Assignment) -> Steps:
        scene, env, rider_id = self._scene, self._scene.env, self.facts.rider_id
        spec = scene.scenario.city.riders
        yield from self._drive(scene.city.merchants[job.merchant_id].node)
        served = yield from self._wait_at_counter(job.order_id)
        if not served:
            return
        yield from self._serve(spec.pickup_s)
        reply = yield from insist(env, partial(scene.port.picked_up, rider_id, job.order_id))
        if not reply.ok:
            return
        yield from self._drive(scene.errands.drop_node[job.order_id])
        yield from self._serve(spec.dropoff_s)
        # Where he stands is the node he drove to: the order's own drop-off may lie beside the road.
        lat, lng = float(scene.city.graph.lat[self.node]), float(scene.city.graph.lng[self.node])
        reply = yield from insist(env, partial(scene.port.delivered, rider_id, job.order_id, lat, lng))
        self.orders += reply.ok

    def _wait_at_counter(self, order_id: int) -> Steps:
        """Wait until the order is served (True), or until it is given up or withdrawn (False)."""
        served = self._scene.counters.served(order_id)
        while not served.triggered:
            yield served | self._next
            if self._next.triggered:
                message = self._next.value
                self._next = self._scene.port.rider_inbox(self.facts.rider_id).get()
                if isinstance(message, Withdrawn) and message.order_id == order_id:
                    return False
                self._backlog.append(message)
        return bool(served.value)

    def _drive(self, to_node: int) -> Steps:
        scene = self._scene
        way_s = scene.travel.seconds(self.node, to_node, self._kmh, scene.city_now_s, self.facts.vehicle)
        way_m = scene.travel.metres(self.node, to_node)
        self.node = to_node
        yield from self._spend("driving", scene.tempo.run_s(way_s), way_m)

    def _serve(self, city_s: float) -> Steps:
        yield from self._spend("service", self._scene.tempo.run_s(city_s), 0.0)

    def _spend(self, what: str, length_s: float, length_m: float) -> Steps:
        env = self._scene.env
        self._activity = (what, env.now, length_s, length_m)
        yield env.timeout(length_s)
        self._worked[what] += length_s
        self._distance_m += length_m
        self._activity = None
