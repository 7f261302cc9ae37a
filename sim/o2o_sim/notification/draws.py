"""Luck of the people who take orders: one stream a purpose, one draw an order, line or call (A14).

Decides the addresses of the draws, so that an order meets the same luck in every age (common random numbers): who is
slow with it in one age is slow in the others, and the line that is misread in the app is among those misheard by phone.
What the luck leads to is left to the domain's rules and to those who ask.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from o2o_domain.notification import CopyChances, Slip, SlipLine, copied, mistake
from o2o_scenarios.notification import CopyingSpec, StaffSpec
from o2o_sim.chance import stream


class CallLuck(NamedTuple):
    """Of one call: `engaged` uniform in [0, 1), `ring` exponential with mean 1."""

    engaged: float
    ring: float


class PeopleDraws:
    """The luck of `n` orders, by order_id."""

    def __init__(self, spec: StaffSpec, seed: int, n: int) -> None:
        sigma = spec.pace_sigma
        paces = np.exp(sigma * stream(seed, "notification.pace").standard_normal(n) - sigma**2 / 2)
        self.pace: list[float] = paces.tolist()
        """Factor by which people take longer with this order, mean 1."""
        self.look: list[float] = stream(seed, "notification.look").standard_exponential(n).tolist()
        """Until somebody looks at the app, in means."""
        self._lost: list[float] = stream(seed, "notification.lost").random(n).tolist()
        self._seed = seed

    def call(self, order_id: int, number: int) -> CallLuck:
        """Of the `number`-th call (1 = the first) about this order."""
        chance = stream(self._seed, "notification.call", order_id, number)
        return CallLuck(float(chance.random()), float(chance.standard_exponential()))

    def slip(
        self, order_id: int, lines: tuple[SlipLine, ...], menu: tuple[str, ...], copying: CopyingSpec
    ) -> Slip | None:
        """What reaches the kitchen of an order of these lines when it is copied by hand; None: nothing does."""
        chances = CopyChances(copying.wrong_dish, copying.wrong_quantity, copying.missed_line, copying.missed_order)
        if self._lost[order_id] < chances.missed_order:
            return None
        luck = stream(self._seed, "notification.copying", order_id).random((len(lines), 2))
        mistakes = [mistake(chances, float(row[0])) for row in luck]
        return copied(lines, menu, mistakes, [float(row[1]) for row in luck]) or None
