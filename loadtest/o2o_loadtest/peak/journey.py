"""One user's way: place the order, again with the same key while there is no answer, then pay at the provider.

Decides what is asked again (no answer, 429, 5xx), after which pauses, and when a user gives up. Everything that a user
saw can be logged, for an audit that compares it with what the platform says: an order is acknowledged when, and only
when, a user got a 2xx for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from o2o_loadtest.peak.http import Pool
from o2o_loadtest.peak.orders import Order, pay_link

PAUSES_S = (0.1, 0.3, 1.0, 2.0)
"""Pauses before a request is made again; the last one stands for all further ones."""
PAYING = 64
"""Connections to the provider."""


class Log:
    """What the users saw: rows of requests and of orders, times in seconds since the epoch of the run."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.orders: list[dict[str, Any]] = []


class Shopping:
    """What the users of one run share. `done` is called when a user has the answer to the order (or gave up)."""

    def __init__(
        self,
        pools: Sequence[Pool],
        done: Callable[[Journey], None],
        *,
        pay: bool,
        give_up_s: float,
        log: Log | None,
    ) -> None:
        self.pools = pools
        self.done = done
        self.all_paid: Callable[[], None] = lambda: None
        """Called whenever nobody is paying any more."""
        self.pay = pay
        self.give_up_s = give_up_s
        self.log = log
        self.paid = 0
        self.paying = 0
        """Users who are at it: they have an order, and no answer from the provider yet."""
        self._providers: dict[str, Pool] = {}
        self._zero = 0.0

    def begin(self, epoch: float) -> None:
        """Second 0 is now."""
        self._zero = time.perf_counter()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.perf_counter() - self._zero

    def provider(self, url: str) -> Pool:
        """Connections to a payment provider."""
        pool = self._providers.get(url)
        if pool is None:
            pool = self._providers[url] = Pool(url, limit=PAYING, timeout_s=10.0)
        return pool


class Journey:
    """See the module. `status` and `answered` tell the answer to the order; 0: given up."""

    __slots__ = (
        "_asked",
        "_pay",
        "_row",
        "_sent",
        "_shopping",
        "_tries",
        "answered",
        "intended",
        "number",
        "order",
        "status",
    )

    def __init__(self, shopping: Shopping, number: int, order: Order, intended: float) -> None:
        self._shopping = shopping
        self.number = number
        self.order = order
        self.intended = intended
        self.status = 0
        self.answered = 0.0
        self._tries = 0
        self._sent = 0.0
        self._pay: tuple[str, bytes] | None = None
        self._row: dict[str, Any] | None = None

    def begin(self) -> None:
        """Send the order."""
        if self._shopping.log is not None:
            self._row = {
                "n": self.number,
                "key": self.order.key,
                "user_id": self.order.user_id,
                "merchant_id": self.order.merchant_id,
                "intended": self.intended,
                "sent": self._shopping.now(),
                "outcome": "lost",
                "answer": None,
                "paid": None,
            }
            self._shopping.log.orders.append(self._row)
        self._place()

    def _place(self) -> None:
        pools = self._shopping.pools
        self._sent = self._shopping.now()
        # Another try goes to another server, if there is one.
        pools[(self.number + self._tries) % len(pools)].ask(self.order.request, self._placed)

    def _placed(self, status: int, body: bytes) -> None:
        now = self._shopping.now()
        self._noted("POST /orders", status, now)
        if self._again(status, now, self._place):
            return
        self.status, self.answered = status, now
        if self._row is not None:
            self._row["outcome"] = "placed" if 200 <= status < 300 else "refused" if status else "lost"
            self._row["answer"] = _decoded(body)
        if status == 201 and self._shopping.pay:
            self._pay = pay_link(body)
            if self._pay is not None:
                self._tries = 0
                self._shopping.paying += 1
                self._at_provider()
        self._shopping.done(self)

    def _at_provider(self) -> None:
        assert self._pay is not None
        self._sent = self._shopping.now()
        self._shopping.provider(self._pay[0]).ask(self._pay[1], self._asked_for)

    def _asked_for(self, status: int, body: bytes) -> None:
        now = self._shopping.now()
        self._noted("POST /pay/{id}", status, now)
        if self._again(status, now, self._at_provider):
            return
        self._shopping.paying -= 1
        if 200 <= status < 300:
            self._shopping.paid += 1
            if self._row is not None:
                self._row["paid"] = now
        if not self._shopping.paying:
            self._shopping.all_paid()

    def _again(self, status: int, now: float, ask: Callable[[], None]) -> bool:
        if 200 <= status < 500 and status != 429:
            return False
        pause = PAUSES_S[min(self._tries, len(PAUSES_S) - 1)]
        if now + pause - self.intended > self._shopping.give_up_s:
            return False
        self._tries += 1
        asyncio.get_running_loop().call_later(pause, ask)
        return True

    def _noted(self, name: str, status: int, now: float) -> None:
        log = self._shopping.log
        if log is not None:
            log.requests.append(
                {
                    "order_id": self.number,
                    "actor": "user",
                    "name": name,
                    "intended": self.intended,
                    "sent": self._sent,
                    "ended": now if status else None,
                    "status": status,
                    "ok": 200 <= status < 300,
                    "error": None if 200 <= status < 300 else str(status),
                }
            )


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
