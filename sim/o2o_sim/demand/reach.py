"""Which merchant an order goes to: open, within reach of the drop-off, weighted by popularity.

Decides the choice and what happens where no open merchant is in reach. Whether the shop is open is the domain's rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from o2o_domain.hours import is_open
from o2o_sim.city.model import City, Floats, Ints
from o2o_sim.city.projection import distance_m

_LAST_ORDERS_MIN = 5
"""Users do not begin an order this shortly before a shop closes: it would be refused by the time it is paid."""
_CELLS = 4_000_000  # orders times merchants handled at once: bounds the memory


@dataclass(frozen=True)
class Chosen:
    """The merchant of each order, int32 [n], and how many orders found none open, or none at all, within reach."""

    merchant: Ints
    none_open_in_reach: int
    none_open: int


def opening_table(city: City) -> npt.NDArray[np.bool_]:
    """Whether each merchant takes a new order at each minute of the day: bool [1440, merchants]."""
    table = np.zeros((1440, len(city.merchants)), dtype=bool)
    known: dict[tuple[int, int], npt.NDArray[np.bool_]] = {}
    for number, merchant in enumerate(city.merchants):
        hours = (merchant.open_min, merchant.close_min)
        if hours not in known:
            open_at = np.asarray([is_open(*hours, minute) for minute in range(1440)])
            known[hours] = open_at & np.roll(open_at, -_LAST_ORDERS_MIN)
        table[:, number] = known[hours]
    return table


def choose_merchants(
    city: City, drop_node: Ints, minute: npt.NDArray[np.int64], chance: Floats, max_distance_m: float
) -> Chosen:
    """A merchant for each order: by `chance` (uniform in [0, 1), float64 [n]) among the open ones within reach.

    Where none is open within `max_distance_m` of the drop-off (straight line) the nearest open one takes the order;
    where none is open in the whole city, the choice is made as if all were, and the platform will refuse the order.
    `minute` is the minute of the day, 0..1439.
    """
    graph = city.graph
    weight = np.asarray([merchant.weight for merchant in city.merchants])
    lat = np.asarray([merchant.lat for merchant in city.merchants])
    lng = np.asarray([merchant.lng for merchant in city.merchants])
    table = opening_table(city)
    chosen = np.zeros(len(drop_node), dtype=np.int32)
    far = closed = 0
    order = np.argsort(drop_node, kind="stable")  # orders to one place share its distances
    size = max(1, _CELLS // max(1, len(weight)))
    for begin in range(0, len(order), size):
        chunk = order[begin : begin + size]
        nodes, place = np.unique(drop_node[chunk], return_inverse=True)
        away = distance_m(graph.lat[nodes][:, None], graph.lng[nodes][:, None], lat[None, :], lng[None, :])[place]
        open_now = table[minute[chunk]]
        none_open = ~open_now.any(axis=1)
        open_now[none_open] = True
        closed += int(none_open.sum())
        value = np.where(open_now & (away <= max_distance_m), weight[None, :], 0.0)
        total = value.sum(axis=1)
        lonely = total <= 0
        far += int((lonely & ~none_open).sum())
        upto = np.cumsum(value, axis=1)
        pick = (upto <= (chance[chunk] * upto[:, -1])[:, None]).sum(axis=1)
        nearest = np.where(open_now, away, np.inf).argmin(axis=1)
        chosen[chunk] = np.where(lonely, nearest, np.minimum(pick, len(weight) - 1))
    return Chosen(chosen, far, closed)
