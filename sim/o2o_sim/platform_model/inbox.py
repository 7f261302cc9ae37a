"""Inbox: a SimPy store whose `put` never waits, so that a message costs one event instead of two.

Decides nothing; an inbox holds any number of messages and gives them out in order.
"""

from __future__ import annotations

from typing import Any

from simpy import Store


class Inbox(Store):
    """An unbounded store of messages."""

    def put(self, item: Any) -> None:  # type: ignore[override]
        """Add a message, at once: nobody waits for it, so there is no event to wait for."""
        self.items.append(item)
        if self.get_queue:
            self._trigger_get(None)
