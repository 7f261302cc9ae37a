"""A cache of facts: what a decision was made from last time, for a few seconds at most.

Decides how long a fact is believed: until an event says that it has changed, and never longer than `ttl_s`, so that a
lost event heals by itself. Believing a stale fact must do no harm: whoever decides by the cache holds the facts against
the database in the statement that writes (a guard), and gives no refusal on cached facts alone. Leaves loading to its
users, who load what is missing in bulk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

TOPIC = "facts"
"""Of the events that say that a fact has changed: `menu` (merchant_id), `claims` (code, user_id). Coupons and merchants
are not changed once they are made, and what there is none of is not cached."""
TTL_S = 4.0
MAX_ENTRIES = 50_000
"""Beyond that all are forgotten and loaded anew."""


class Cache(Generic[K, V]):
    """Facts of one kind by key; None stands for "not known"."""

    def __init__(
        self, *, ttl_s: float = TTL_S, size: int = MAX_ENTRIES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._monotonic = monotonic
        self._entries: dict[K, tuple[float, V]] = {}
        self.misses = 0
        """Look-ups that found nothing, or something too old."""
        self.dropped = 0
        """Entries that an event has put an end to."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The fact, if it is known and young enough."""
        entry = self._entries.get(key)
        if entry is None or self._monotonic() >= entry[0]:
            self.misses += 1
            return None
        return entry[1]

    def put(self, key: K, value: V) -> None:
        """This was read just now."""
        if len(self._entries) >= self._size:
            self._entries.clear()
        self._entries[key] = (self._monotonic() + self._ttl_s, value)

    def drop(self, key: K) -> None:
        """It has changed."""
        if self._entries.pop(key, None) is not None:
            self.dropped += 1
