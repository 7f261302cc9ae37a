"""The orders of a peak: random users, merchants, dishes and coupons, as requests that are bytes already.

Decides what is ordered, from a seed: the n-th order of a seed is always the same. Heads and bodies are encoded once;
what remains a request is to join three pieces of bytes around a key that is used only once.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import msgspec

from o2o_loadtest.peak.world import World

BODIES = 4096
"""Different carts; orders are drawn from these."""
MOST_DISHES, MOST_PIECES = 3, 2
NEAR = 0.008
"""Degrees between a merchant and where its orders go: under a kilometre."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order to be sent: `request` is the whole of it, `key` its Idempotency-Key."""

    key: str
    request: bytes
    user_id: int
    merchant_id: int


class Orders:
    """Orders without end. `pay_with` is left out of the body when it is empty."""

    def __init__(
        self,
        world: World,
        *,
        seed: int,
        prefix: str,
        pay_with: str = "",
        coupon_share: float = 0.2,
        host: bytes = b"o2o",
    ) -> None:
        self._random = random.Random(seed)
        self._world = world
        self._pay_with = pay_with
        self._coupon_share = coupon_share
        self._prefix = prefix
        self._number = 0
        self._bodies = [self._body() for _ in range(BODIES)]
        self._heads: dict[int, bytes] = {}
        self._host = host

    def next(self) -> Order:
        """The next one."""
        user = int(self._random.random() * len(self._world.users))
        head = self._heads.get(user)
        if head is None:
            head = self._heads[user] = self._head(user)
        merchant_id, body = self._bodies[int(self._random.random() * BODIES)]
        key = f"{self._prefix}{self._number}"
        self._number += 1
        request = b"%b%b\r\n%b" % (head, key.encode(), body)
        return Order(key, request, self._world.users[user][0], merchant_id)

    def _head(self, user: int) -> bytes:
        token = self._world.users[user][1]
        return (
            b"POST /orders HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\nAuthorization: Bearer %b\r\n"
            b"Idempotency-Key: " % (self._host, token.encode())
        )

    def _body(self) -> tuple[int, bytes]:
        draw = self._random
        shop = draw.choice(self._world.shops)
        dishes = draw.sample(shop.dishes, min(draw.randint(1, MOST_DISHES), len(shop.dishes)))
        body: dict[str, object] = {
            "merchant_id": shop.id,
            "items": [{"dish_id": dish, "qty": draw.randint(1, MOST_PIECES)} for dish in dishes],
            "drop": {
                "lat": round(shop.lat + draw.uniform(-NEAR, NEAR), 6),
                "lng": round(shop.lng + draw.uniform(-NEAR, NEAR), 6),
                "address": f"{draw.randint(1, 999)}号路口",
                "phone": f"138{draw.randint(0, 10**8 - 1):08d}",
            },
            "note": draw.choice(("", "", "少放辣", "不要香菜")),
        }
        if self._world.coupons and draw.random() < self._coupon_share:
            body["coupon_code"] = draw.choice(self._world.coupons)
        if self._pay_with:
            body["pay_with"] = self._pay_with
        raw = msgspec.json.encode(body)
        return shop.id, b"Content-Length: %d\r\n\r\n%b" % (len(raw), raw)


def pay_link(answer: bytes) -> tuple[str, bytes] | None:
    """(base URL of the provider, request that pays) out of the answer to POST /orders; None when it has no link."""
    at = answer.find(b'"pay_url":"')
    if at < 0:
        return None
    url = answer[at + 11 : answer.index(b'"', at + 11)]
    start = url.index(b"/", 8)
    host = url[url.index(b"//") + 2 : start]
    return url[:start].decode(), b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Length: 0\r\n\r\n" % (url[start:], host)
