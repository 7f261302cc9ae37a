"""Service times: how long each stage of the platform works on each order, drawn before the run.

Decides the distribution (log-normal by mean and coefficient of variation) and the addresses of the draws: one stream a
stage, one draw an order, so that an order meets the same luck whatever the policy and whatever happens around it.
Waiting is not here: it comes out of the stations.
"""

from __future__ import annotations

from itertools import cycle
from math import log, log1p, sqrt

import numpy as np

from o2o_scenarios.schema import PlatformSpec, StageSpec
from o2o_sim.chance import stream

EVENTS = ("accept", "reject", "ready", "picked_up", "delivered", "review", "redeem")
"""Requests of actors that name an order: each has its own draws."""
OTHERS = 4096
"""Draws for requests that name no order (riders' shifts, BDs), used in turn."""


def stage_s(spec: StageSpec, seed: int, purpose: str, n: int) -> list[float]:
    """`n` service times in seconds. Mean 8 ms, cv 0.5: sigma = sqrt(ln 1.25) = 0.472, median 7.2 ms."""
    if spec.mean_ms == 0.0:
        return [0.0] * n
    sigma = sqrt(log1p(spec.cv**2))
    mu = log(spec.mean_ms / 1000.0) - sigma**2 / 2
    return np.exp(mu + sigma * stream(seed, purpose).standard_normal(n)).tolist()  # type: ignore[no-any-return]


class ServiceTimes:
    """Service times in seconds by stage, lists indexed by order_id."""

    def __init__(self, spec: PlatformSpec, seed: int, n: int) -> None:
        self.accept = stage_s(spec.accept, seed, "platform.accept", n)
        self.commit = stage_s(spec.commit, seed, "platform.commit", n)
        self.publish = stage_s(spec.publish, seed, "platform.publish", n)
        self.claim = stage_s(spec.claim, seed, "platform.claim", n)
        self.render = stage_s(spec.render, seed, "platform.render", n)
        self.send = stage_s(spec.send, seed, "platform.send", n)
        self.event = {name: stage_s(spec.event, seed, f"platform.event.{name}", n) for name in EVENTS}
        self.helper = {name: stage_s(spec.helper, seed, f"platform.helper.{name}", n) for name in spec.helpers}
        self._others = cycle(stage_s(spec.event, seed, "platform.event.other", OTHERS))

    def other(self) -> float:
        """The service time of a request that names no order."""
        return next(self._others)
