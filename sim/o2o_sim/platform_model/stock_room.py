"""Stock room: the pieces of every dish, taken and given back by the domain's rules.

Decides nothing but bookkeeping: levels, and how much was ever taken and returned.
"""

from __future__ import annotations

from typing import Any

from o2o_domain.pricing import Line
from o2o_domain.refusal import Refused
from o2o_domain.stock import Reserved, give_back, reserve
from o2o_sim.city.model import City
from o2o_sim.platform_model.desk import DecisionLog


class StockRoom:
    """Stock of all merchants, by dish_id."""

    def __init__(self, city: City, decisions: DecisionLog | None) -> None:
        self._initial = {dish.dish_id: dish.stock for merchant in city.merchants for dish in merchant.menu}
        self._levels = dict(self._initial)
        self._lowest = dict(self._initial)
        self._reserved = dict.fromkeys(self._initial, 0)
        self._returned = dict.fromkeys(self._initial, 0)
        self._decisions = decisions

    def find(self, lines: tuple[Line, ...]) -> Reserved | Refused:
        """Whether the dishes of an order can be had, all or none; nothing is taken."""
        levels = self._levels
        outcome = reserve(levels, lines)
        if self._decisions is not None:
            touched = {line.dish_id: levels[line.dish_id] for line in lines if line.dish_id in levels}
            self._decisions.note("stock.reserve", {"levels": touched, "lines": lines}, outcome)
        return outcome

    def take(self, found: Reserved) -> None:
        """Take what was found just now."""
        levels = self._levels
        for dish_id, level in found.levels.items():
            self._reserved[dish_id] += levels[dish_id] - level
            levels[dish_id] = level
            if level < self._lowest[dish_id]:
                self._lowest[dish_id] = level

    def put_back(self, lines: tuple[Line, ...]) -> None:
        """Give the dishes of an order that came to nothing back."""
        for dish_id, level in give_back(self._levels, lines).levels.items():
            self._returned[dish_id] += level - self._levels[dish_id]
            self._levels[dish_id] = level

    def rows(self) -> list[dict[str, Any]]:
        """The run table `stock`."""
        return [
            {
                "dish_id": dish_id,
                "merchant_id": dish_id // 100,
                "initial": initial,
                "reserved": self._reserved[dish_id],
                "returned": self._returned[dish_id],
                "level": self._levels[dish_id],
                "min_level": self._lowest[dish_id],
            }
            for dish_id, initial in self._initial.items()
        ]
