"""What orders are decided from, as the batches know it: menus, coupons, claims, wallets, and the orders known by key.

Decides that what a batch does not know, or may not believe, is read for the whole batch at once, a statement a kind.
Levels, budgets and balances change with every order; here they are kept up with this process's own orders, and are
otherwise a guess that the guards of the writing statement hold against the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from o2o_domain.coupons import Coupon, CouponState
from o2o_platform.coupons.decide import free_ordinal
from o2o_platform.kit.cache import Cache


@dataclass(slots=True)
class Dish:
    """A dish as `orders.decide` asks for it."""

    id: int
    name: str
    price_fen: int
    on_shelf: bool
    level: int


@dataclass(slots=True)
class Menu:
    """A merchant and its dishes by id."""

    id: int
    lat: float
    lng: float
    open_min: int
    close_min: int
    dishes: dict[int, Dish] = field(default_factory=dict)


@dataclass(slots=True)
class Budget:
    """A coupon and what is committed of its budget."""

    coupon: Coupon
    committed_fen: int


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """A claim that is not redeemed yet."""

    id: int
    hold_fen: int


@dataclass(slots=True)
class Standing:
    """A user's claims of one coupon that were not given back."""

    held: list[OpenClaim] = field(default_factory=list)
    used: int = 0
    taken: set[int | None] = field(default_factory=set)

    @property
    def free(self) -> int:
        """The ordinal of the next claim."""
        return free_ordinal(list(self.taken))


@dataclass(slots=True)
class Money:
    """What a user's wallet has to spend."""

    balance_fen: int


Key = tuple[int, str]
"""(user id, idempotency key)."""
Claim = tuple[str, int]
"""(coupon code, user id)."""

_MENUS = """
SELECT m.id, m.lat, m.lng, m.open_min, m.close_min, d.id AS dish_id, d.name, d.price_fen, d.on_shelf, d.level
FROM merchants m LEFT JOIN dishes d ON d.merchant_id = m.id WHERE m.id = ANY ($1::bigint[])
"""
_BUDGETS = """
SELECT code, threshold_fen, off_fen, budget_fen, per_user, segments, committed_fen FROM coupons
WHERE code = ANY ($1::text[])
"""
_CLAIMS = """
SELECT c.code, c.user_id, c.id, c.state, c.hold_fen, c.nth
FROM unnest($1::text[], $2::bigint[]) AS w (code, user_id) JOIN coupon_claims c USING (code, user_id)
WHERE c.state <> 'returned' ORDER BY c.id
"""
_WALLETS = "SELECT user_id, balance_fen FROM wallets WHERE user_id = ANY ($1::bigint[])"
_KNOWN = """
SELECT o.user_id, o.ref, o.id, o.fingerprint, o.order_no, o.state, o.items_fen, o.discount_fen, o.delivery_fee_fen,
    o.total_fen, o.coupon_refused, p.id AS payment_id, p.method
FROM unnest($1::bigint[], $2::text[]) AS w (user_id, ref) JOIN orders o USING (user_id, ref)
JOIN payments p ON p.order_id = o.id
"""


@dataclass(frozen=True, slots=True)
class Known:
    """An order that was placed before, with what the answer to a repeated request says."""

    id: int
    fingerprint: str
    order_no: str
    state: str
    items_fen: int
    discount_fen: int
    delivery_fee_fen: int
    total_fen: int
    coupon_refused: str | None
    payment_id: int
    method: str


class Facts:
    """The caches of one process."""

    def __init__(self) -> None:
        self.menus: Cache[int, Menu] = Cache()
        self.budgets: Cache[str, Budget] = Cache()
        self.claims: Cache[Claim, Standing] = Cache()
        self.wallets: Cache[int, Money] = Cache()

    async def load(
        self,
        conn: asyncpg.Connection,
        *,
        merchants: Collection[int] = (),
        coupons: Collection[str] = (),
        claims: Collection[Claim] = (),
        wallets: Collection[int] = (),
    ) -> None:
        """Read these facts into the caches, whatever is in there; what there is none of is not in them afterwards."""
        if merchants:
            await self._load_menus(conn, merchants)
        if coupons:
            for code in coupons:
                self.budgets.drop(code)
            for row in await conn.fetch(_BUDGETS, list(coupons)):
                code, threshold, off, budget, per_user, segments, committed = row
                coupon = Coupon(code, threshold, off, budget, per_user, tuple(msgspec.json.decode(segments)))
                self.budgets.put(code, Budget(coupon, committed))
        if claims:
            await self._load_claims(conn, claims)
        if wallets:
            found = {row[0]: row[1] for row in await conn.fetch(_WALLETS, list(wallets))}
            for user_id in wallets:  # whoever never had money in it has an empty one
                self.wallets.put(user_id, Money(found.get(user_id, 0)))

    async def known(self, conn: asyncpg.Connection, keys: Sequence[Key]) -> dict[Key, Known]:
        """The orders that were placed under these keys."""
        found = await conn.fetch(_KNOWN, [user_id for user_id, _ in keys], [ref for _, ref in keys])
        return {(row[0], row[1]): Known(*tuple(row)[2:]) for row in found}

    def changed(self, name: str, payload: Mapping[str, Any]) -> None:
        """An event of the topic `facts` says so."""
        if name == "menu":
            self.menus.drop(payload["merchant_id"])
        elif name == "claims":
            self.claims.drop((payload["code"], payload["user_id"]))

    async def _load_menus(self, conn: asyncpg.Connection, wanted: Collection[int]) -> None:
        for merchant_id in wanted:
            self.menus.drop(merchant_id)
        menus: dict[int, Menu] = {}
        for merchant_id, lat, lng, open_min, close_min, *dish in await conn.fetch(_MENUS, list(wanted)):
            menu = menus.get(merchant_id)
            if menu is None:
                menu = menus[merchant_id] = Menu(merchant_id, lat, lng, open_min, close_min)
                self.menus.put(merchant_id, menu)
            if dish[0] is not None:
                menu.dishes[dish[0]] = Dish(*dish)

    async def _load_claims(self, conn: asyncpg.Connection, wanted: Collection[Claim]) -> None:
        pairs = list(wanted)
        standing = {pair: Standing() for pair in pairs}
        found = await conn.fetch(_CLAIMS, [code for code, _ in pairs], [user_id for _, user_id in pairs])
        for code, user_id, claim_id, state, hold_fen, nth in found:
            mine = standing[code, user_id]
            mine.taken.add(nth)
            if state == CouponState.CLAIMED:
                mine.held.append(OpenClaim(claim_id, hold_fen))
            else:
                mine.used += 1
        for pair, mine in standing.items():
            self.claims.put(pair, mine)
