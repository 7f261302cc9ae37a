"""Whom a peak is played with: users with tokens, merchants with dishes, coupons; made through the public API.

Decides how many there are and what they are called, and the file by which the load process hears of them. It holds
bearer tokens of synthetic accounts, so only its owner may read it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from o2o_loadtest.setup import ACCOUNTS_AT_ONCE, MERCHANTS_AT_ONCE, AdminClient

LAT, LNG = 30.25, 120.15
CENT = 0.01
"""Merchants lie on a grid of hundredths of a degree."""
BALANCE_FEN = 10**9
"""The most that one transfer may bring: enough for any run."""
WALLETS_AT_ONCE = 500
Printer = tuple[str, int] | Mapping[str, Any]
"""(host, port) of one on TCP, or what the platform takes for a printer: {"url": ..., "width_cols": 48}."""
PRICES_FEN = (800, 1200, 1800, 2200, 2600, 3200)


class Shop(msgspec.Struct):
    """A merchant as the platform knows it."""

    id: int
    lat: float
    lng: float
    dishes: list[int]


class World(msgspec.Struct):
    """See the module. `users` are (account id, bearer token)."""

    targets: list[str]
    """Base URLs of the platform; requests go to each in turn."""
    users: list[tuple[int, str]]
    shops: list[Shop]
    coupons: list[str]

    def write(self, path: Path) -> None:
        """Write the file, readable by its owner only."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file. Raises OSError or msgspec.ValidationError."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


class Size(msgspec.Struct, frozen=True):
    """How large a world is."""

    merchants: int = 200
    dishes: int = 20
    users: int = 10_000
    coupons: int = 200
    stock: int = 10**8
    """Pieces of each dish."""
    coupon_budget_fen: int = 10**11
    balance_fen: int = 0
    """In each user's wallet; 0: nobody pays from a balance."""


def make_world(
    admin: AdminClient,
    size: Size,
    *,
    printers: Mapping[int, Printer] | None = None,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> World:
    """Make all of it on an empty platform. `printers`: number of a merchant -> its printer.

    Raises TargetError when the platform refuses something.
    """
    shops: list[Shop] = []
    for start in range(0, size.merchants, MERCHANTS_AT_ONCE):
        numbers = range(start, min(start + MERCHANTS_AT_ONCE, size.merchants))
        bodies = [_merchant(number, size, printers or {}) for number in numbers]
        made = admin.post("/admin/merchants:bulk", json=bodies)["merchants"]
        for body, one in zip(bodies, made, strict=True):
            shops.append(Shop(one["id"], body["lat"], body["lng"], [dish["id"] for dish in one["dishes"]]))
        progress("merchants", len(shops) / size.merchants)
    users: list[tuple[int, str]] = []
    for start in range(0, size.users, ACCOUNTS_AT_ONCE):
        numbers = range(start, min(start + ACCOUNTS_AT_ONCE, size.users))
        made = admin.post("/admin/accounts:bulk", json=[_user(number) for number in numbers])["accounts"]
        users += [(one["id"], one["token"]) for one in made]
        progress("users", len(users) / size.users)
    codes = [f"PEAK{number}" for number in range(size.coupons)]
    if codes:
        admin.post("/admin/coupons", json=[_coupon(code, size.coupon_budget_fen) for code in codes])
    if size.balance_fen:
        _fill_wallets(admin, [user for user, _ in users], size.balance_fen)
    return World([admin.base_url], users, shops, codes)


def _merchant(number: int, size: Size, printers: Mapping[int, Printer]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ref": f"peak-m{number}",
        "name": f"峰店{number}",
        "lat": LAT + CENT * (number % 20),
        "lng": LNG + CENT * (number // 20 % 20),
        "open_min": 0,
        "close_min": 1440,
        "dishes": [
            {
                "ref": str(dish),
                "name": f"招牌菜{dish}",
                "price_fen": PRICES_FEN[(number + dish) % len(PRICES_FEN)],
                "stock": size.stock,
            }
            for dish in range(size.dishes)
        ],
    }
    if number in printers:
        printer = printers[number]
        if isinstance(printer, tuple):
            printer = {"host": printer[0], "port": printer[1], "width_cols": 48}
        body["printer"] = dict(printer)
    return body


def _user(number: int) -> dict[str, Any]:
    segment = ("work_meal", "family", "social")[number % 3]
    return {
        "ref": f"peak-u{number}",
        "role": "consumer",
        "name": f"用户{number}",
        "phone": f"138{number:08d}",
        "segment": segment,
    }


def _coupon(code: str, budget_fen: int) -> dict[str, Any]:
    return {"code": code, "threshold_fen": 1000, "off_fen": 300, "budget_fen": budget_fen, "per_user": 1_000_000}


def _fill_wallets(admin: AdminClient, users: Sequence[int], balance_fen: int) -> None:
    for start in range(0, len(users), WALLETS_AT_ONCE):
        chunk = users[start : start + WALLETS_AT_ONCE]
        body = [{"user_id": user, "amount_fen": balance_fen, "key": f"peak-{user}"} for user in chunk]
        admin.post("/admin/wallets:bulk", json=body)
