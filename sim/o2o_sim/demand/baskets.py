"""What is in an order: dishes of the merchant's menu, more of them for families, and how often each.

Decides the draw; how many dishes a segment takes is in `segments`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from o2o_scenarios.trace import ITEM
from o2o_sim.city.model import City, Ints
from o2o_sim.city.people import SEGMENTS
from o2o_sim.demand.segments import HABITS

_CHUNK = 50_000
_FAVOURITES = 0.5  # Zipf exponent of a menu: the first dish is the shop's favourite


def draw_baskets(rng: np.random.Generator, city: City, merchant: Ints, segment: Ints) -> pa.Array:
    """The items of each order as an Arrow list of (dish_id, qty): different dishes of the menu of `merchant` [n].

    `segment` is an index into SEGMENTS, int [n]. At least one dish an order, ordered as on the menu.
    """
    n = len(merchant)
    sizes = np.asarray([len(m.menu) for m in city.merchants], dtype=np.int64)
    widest = int(sizes.max())
    # Gumbel keys: the k largest of log(weight) + noise are a draw of k without replacement by weight.
    favour = -_FAVOURITES * np.log(np.arange(1, widest + 1))
    count = np.zeros(n, dtype=np.int64)
    dish, qty = [], []
    for begin in range(0, n, _CHUNK):
        part = slice(begin, min(n, begin + _CHUNK))
        chance = rng.random((part.stop - begin, 1 + 2 * widest))  # order by order: a longer day starts the same
        how_many, how_often, noise = chance[:, 0], chance[:, 1 : 1 + widest], chance[:, 1 + widest :]
        for number, name in enumerate(SEGMENTS):
            mine = segment[part] == number
            more = np.searchsorted(np.cumsum(HABITS[name].dishes)[:-1], how_many[mine], side="right")
            count[part][mine] = 1 + more
        count[part] = np.minimum(count[part], sizes[merchant[part]])
        keys = favour - np.log(-np.log(np.maximum(noise, 1e-300)))
        keys[np.arange(widest)[None, :] >= sizes[merchant[part]][:, None]] = -np.inf
        rank = np.argsort(np.argsort(-keys, axis=1), axis=1)
        row, place = np.nonzero(rank < count[part][:, None])
        dish.append((merchant[part][row] * 100 + place).astype(np.int32))
        luck, kind = how_often[row, place], segment[part][row]
        pieces = np.ones(len(row), dtype=np.int16)
        for number, name in enumerate(SEGMENTS):
            mine = kind == number
            pieces[mine] += np.searchsorted(np.cumsum(HABITS[name].pieces)[:-1], luck[mine], side="right").astype(
                np.int16
            )
        qty.append(pieces)
    offsets = np.concatenate(([0], np.cumsum(count))).astype(np.int32)
    dishes = np.concatenate(dish) if dish else np.zeros(0, dtype=np.int32)
    pieces = np.concatenate(qty) if qty else np.zeros(0, dtype=np.int16)
    items = pa.StructArray.from_arrays([pa.array(dishes), pa.array(pieces)], fields=list(ITEM))
    return pa.ListArray.from_arrays(pa.array(offsets), items)
