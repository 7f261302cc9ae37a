"""Merchants and their deals: where they stand, what they sell, how much they can cook.

Decides popularity (Zipf), kitchens, menus and opening hours. Leaves the places to the caller: `people` puts merchants
where the streets are dense, `day` where a real day's orders were picked up.
"""

from __future__ import annotations

import numpy as np

from o2o_scenarios.schema import MerchantsSpec
from o2o_sim.chance import stream
from o2o_sim.city import names
from o2o_sim.city.model import Deal, Dish, Floats, Ints, Merchant, RoadGraph

MERCHANTS_PER_DEAL = 5
_VALID_S = 30 * 86_400.0


def zipf(rng: np.random.Generator, count: int, exponent: float) -> Floats:
    """Shares of demand by Zipf's law, in random order, float64 [count], sum 1."""
    weight = 1.0 / np.arange(1, count + 1) ** exponent
    result: Floats = rng.permutation(weight / weight.sum())
    return result


def kitchens(rng: np.random.Generator, weight: Floats, mean: float) -> Ints:
    """Orders each kitchen can cook at once, int32 [n], at least 1: a popular shop has a larger kitchen, within 15 %."""
    size = mean * weight * weight.shape[0] * rng.lognormal(0.0, 0.15, weight.shape)
    slots: Ints = np.maximum(1, np.rint(size)).astype(np.int32)
    return slots


def hours(rng: np.random.Generator, spec: MerchantsSpec, count: int) -> tuple[Ints, Ints]:
    """Opening and closing minute of each shop: most keep the scenario's hours, some open later or close earlier."""
    late = early = np.zeros(count, dtype=np.int64)
    if spec.close_min - spec.open_min >= 360:
        late = rng.choice([0, 30, 60], size=count, p=[0.7, 0.2, 0.1])
        early = rng.choice([0, 30, 60], size=count, p=[0.7, 0.2, 0.1])
    return (spec.open_min + late).astype(np.int32), (spec.close_min - early).astype(np.int32)


def make_merchants(
    spec: MerchantsSpec,
    seed: int,
    graph: RoadGraph,
    nodes: Ints,
    *,
    weight: Floats,
    slots: Ints,
    opens: Ints,
    closes: Ints,
) -> tuple[Merchant, ...]:
    """One merchant on each of `nodes`, with the shares, kitchens and hours given (arrays of the same length)."""
    count = int(nodes.shape[0])
    rng = stream(seed, "city.shops")
    cuisines = [names.CUISINES[i] for i in rng.integers(len(names.CUISINES), size=count)]
    titles = names.shop_names(stream(seed, "city.shop_names"), cuisines)
    merchants = []
    for number in range(count):
        node = int(nodes[number])
        menu = _menu(spec, seed, number, cuisines[number])
        merchants.append(
            Merchant(
                merchant_id=number,
                name=titles[number],
                node=node,
                lat=float(graph.lat[node]),
                lng=float(graph.lng[node]),
                menu=menu,
                slots=int(slots[number]),
                open_min=int(opens[number]),
                close_min=int(closes[number]),
                weight=float(weight[number]),
            )
        )
    return tuple(merchants)


def _menu(spec: MerchantsSpec, seed: int, merchant: int, cuisine: str) -> tuple[Dish, ...]:
    """Prices follow the dish's level between the scenario's bounds, 8 % up or down by shop, in steps of half a yuan."""
    rng = stream(seed, "city.menu", merchant)
    factor = float(rng.uniform(0.92, 1.08))
    dishes = []
    for place, (name, level) in enumerate(names.menu(rng, cuisine, spec.dishes)):
        raw = (spec.price_min_fen + level * (spec.price_max_fen - spec.price_min_fen)) * factor
        price = min(spec.price_max_fen, max(spec.price_min_fen, round(raw / 50) * 50))
        dishes.append(Dish(merchant * 100 + place, name, price, spec.stock_per_dish))
    return tuple(dishes)


def make_deals(seed: int, merchants: tuple[Merchant, ...]) -> tuple[Deal, ...]:
    """Group-buy deals (A4), one for about every fifth merchant: a set of dishes at 60 to 80 % of its list price."""
    rng = stream(seed, "city.deals")
    count = max(1, len(merchants) // MERCHANTS_PER_DEAL)
    deals = []
    for number in sorted(rng.choice(len(merchants), size=min(count, len(merchants)), replace=False).tolist()):
        menu = merchants[number].menu
        picked = rng.choice(len(menu), size=min(len(menu), int(rng.integers(2, 5))), replace=False)
        dishes = [menu[i] for i in sorted(picked.tolist())]
        list_fen = sum(dish.price_fen for dish in dishes)
        price = max(1, round(list_fen * float(rng.uniform(0.6, 0.8)) / 10) * 10)
        people = ("单人餐", "双人餐", "三人餐", "四人餐")[min(3, len(dishes) - 1)]
        title = f"{people}: " + " + ".join(dish.name for dish in dishes)
        deals.append(Deal(number * 10, number, title, min(price, list_fen), list_fen, 1000, _VALID_S))
    return tuple(deals)
