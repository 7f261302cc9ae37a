"""Reviewer: users who eat what was delivered, and then perhaps review it.

Decides when a review is written. Whether one is, and its stars, stand in the trace, so that both worlds get the same.
"""

from __future__ import annotations

from functools import partial

from o2o_sim.actors.scene import Scene, Steps, insist
from o2o_sim.chance import stream

EATING_MEAN_S = 1500.0
"""Mean city seconds from the delivery to the review (assumed; the seeds give none)."""


class Reviewers:
    """All users who review."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        chance = stream(scene.scenario.seed, "actors.review_delay")
        self._eating_s = (EATING_MEAN_S * (0.4 + 0.6 * chance.exponential(size=len(scene.errands.user_id)))).tolist()

    def delivered(self, order_id: int) -> None:
        """An order reached its user."""
        stars = self._scene.errands.review_stars[order_id]
        if stars > 0:
            self._scene.env.process(self._review(order_id, stars))

    def _review(self, order_id: int, stars: int) -> Steps:
        scene = self._scene
        yield scene.env.timeout(scene.tempo.run_s(self._eating_s[order_id]))
        yield from insist(scene.env, partial(scene.port.review, scene.errands.user_id[order_id], order_id, stars))
