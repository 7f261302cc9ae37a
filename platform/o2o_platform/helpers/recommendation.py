"""Recommendation as a service of its own (A3): what is ordered most at a merchant, and where its users order besides.

Decides by counting: a dish counts once for each order it is in; two merchants are near each other by the number of
users who have ordered from both. Equal counts go by the smaller id, so that the same orders give the same answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import msgspec

from o2o_platform.helpers.service import open_file
from o2o_platform.helpers.wire import MerchantQuestion, Ordered, Recommendation

TOP = 5
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ordered (
    order_id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, merchant_id INTEGER NOT NULL, dishes TEXT NOT NULL
);
"""


class Recommender:
    """See the module. Counts are kept in memory and made anew from the file at the start."""

    name = "recommendation"
    questions = msgspec.json.Decoder(list[MerchantQuestion])
    events = msgspec.json.Decoder(list[Ordered])

    def __init__(self, data: Path | None = None) -> None:
        self._db = open_file(data, _SCHEMA)
        self._newest = 0
        self._dishes: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._beside: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._of_user: defaultdict[int, set[int]] = defaultdict(set)
        for order_id, user_id, merchant_id, dishes in self._db.execute("SELECT * FROM ordered"):
            self._count(Ordered(order_id, user_id, merchant_id, tuple(map(int, dishes.split()))))

    def answer(self, question: MerchantQuestion) -> Recommendation:
        """The best of both lists."""
        dishes, beside = self._dishes.get(question.merchant_id), self._beside.get(question.merchant_id)
        return Recommendation(_best(dishes), _best(beside))

    def learn(self, event: Ordered) -> None:
        """Count an order that is new."""
        added = self._db.execute(
            "INSERT OR IGNORE INTO ordered VALUES (:order_id, :user_id, :merchant_id, :dishes)",
            msgspec.structs.asdict(event) | {"dishes": " ".join(map(str, event.dishes))},
        )
        if added.rowcount:
            self._count(event)

    def newest(self) -> float:
        """The highest order id that was learned."""
        return float(self._newest)

    def commit(self) -> None:
        """Keep what was learned."""
        self._db.commit()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _count(self, order: Ordered) -> None:
        self._newest = max(self._newest, order.order_id)
        self._dishes[order.merchant_id].update(set(order.dishes))
        visited = self._of_user[order.user_id]
        if order.merchant_id not in visited:
            for other in visited:
                self._beside[other][order.merchant_id] += 1
                self._beside[order.merchant_id][other] += 1
            visited.add(order.merchant_id)


def _best(counts: Counter[int] | None) -> tuple[int, ...]:
    ranked = sorted((counts or {}).items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(which for which, _ in ranked[:TOP])
