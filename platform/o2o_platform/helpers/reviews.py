"""Reviews as a service of its own (A3): how many reviews a merchant has, their mean, and how the stars are spread.

Decides only the counting. Who may review what, and the review itself, stay with the platform (`o2o_platform.reviews`).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import msgspec

from o2o_platform.helpers.service import open_file
from o2o_platform.helpers.wire import MerchantQuestion, Reviewed, ReviewSummary, summary

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reviewed (
    order_id INTEGER PRIMARY KEY, merchant_id INTEGER NOT NULL, stars INTEGER NOT NULL, at REAL NOT NULL
);
"""


class Reviews:
    """See the module. Counts are kept in memory and made anew from the file at the start."""

    name = "reviews"
    questions = msgspec.json.Decoder(list[MerchantQuestion])
    events = msgspec.json.Decoder(list[Reviewed])

    def __init__(self, data: Path | None = None) -> None:
        self._db = open_file(data, _SCHEMA)
        self._newest = 0.0
        self._stars: defaultdict[int, list[int]] = defaultdict(lambda: [0] * 5)
        for order_id, merchant_id, stars, at in self._db.execute("SELECT * FROM reviewed"):
            self._count(Reviewed(order_id, merchant_id, stars, at))

    def answer(self, question: MerchantQuestion) -> ReviewSummary:
        """The summary of one merchant."""
        one, two, three, four, five = self._stars.get(question.merchant_id, (0, 0, 0, 0, 0))
        return summary((one, two, three, four, five))

    def learn(self, event: Reviewed) -> None:
        """Count a review that is new; stars that are none are left out."""
        if not 1 <= event.stars <= 5:
            return
        added = self._db.execute(
            "INSERT OR IGNORE INTO reviewed VALUES (:order_id, :merchant_id, :stars, :at)",
            msgspec.structs.asdict(event),
        )
        if added.rowcount:
            self._count(event)

    def newest(self) -> float:
        """When the newest review was written."""
        return self._newest

    def commit(self) -> None:
        """Keep what was learned."""
        self._db.commit()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _count(self, review: Reviewed) -> None:
        self._newest = max(self._newest, review.at)
        self._stars[review.merchant_id][review.stars - 1] += 1
