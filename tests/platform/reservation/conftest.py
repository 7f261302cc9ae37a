"""A small shop on which every sum can be checked: one dish, one coupon, one wallet, orders that all cost the same."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import select

from o2o_domain.tcc import Branch, Phase
from o2o_platform.reservation import apart
from o2o_platform.reservation.tables import reservations

STOCK, QTY, PRICE_FEN = 10, 2, 2000
OFF_FEN, BUDGET_FEN = 500, 5000
TOPPED_FEN = 20_000
TOTAL_FEN = QTY * PRICE_FEN - OFF_FEN + 300
COUPON = {"threshold_fen": 100, "off_fen": OFF_FEN, "budget_fen": BUDGET_FEN, "per_user": 9}
NUMBERS = itertools.count(1)
"""Tests share databases: names are never used twice."""
STANDING = ("tried", "confirmed")


class Killed(BaseException):
    """The process ends here: nothing catches it."""


@dataclass
class Case:
    """The shop, and a user who orders there. It can be looked at from any platform on the same database.

    Only what is this case's own is looked at: other tests use the same database.
    """

    world: Any
    shop: Any
    user: Any
    code: str

    @classmethod
    async def of(cls, world: Any) -> Case:
        world.numbers = NUMBERS
        shop, user = await world.shop(("面", PRICE_FEN, STOCK)), await world.actor("consumer")
        code = f"FIVE_{user.id}"
        assert (await world.admin.post("/admin/coupons", [{**COUPON, "code": code}])).status_code == 201
        top_up = [{"user_id": user.id, "amount_fen": TOPPED_FEN, "key": f"first of {user.id}"}]
        assert (await world.admin.post("/admin/wallets:bulk", top_up)).status_code == 201
        return cls(world, shop, user, code)

    def seen_from(self, world: Any) -> Case:
        """The same shop and user on another platform."""
        return Case(world, self.shop, replace(self.user, client=world.client), self.code)

    async def order(self, key: str, **fields: Any) -> Any:
        """Two pieces with the coupon, by default paid from the balance."""
        fields = {"coupon_code": self.code, "pay_with": "balance", "qty": QTY, **fields}
        return await self.world.place(self.user, self.shop, key, **fields)

    async def orders(self) -> list[dict[str, Any]]:
        """This user's orders."""
        return [row for row in await self.world.export("orders") if row["user_id"] == self.user.id]

    async def goods(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """The rows of stock, coupon and wallet."""
        (stock,) = [row for row in await self.world.export("stock") if row["merchant_id"] == self.shop.id]
        (coupon,) = [row for row in await self.world.export("coupons") if row["code"] == self.code]
        (wallet,) = [row for row in await self.world.export("wallets") if row["user_id"] == self.user.id]
        return stock, coupon, wallet

    async def fences(self) -> dict[int, dict[str, str]]:
        """State by branch of each of this user's reservations, whether or not an order came of it."""
        records = select(reservations.c.order_id).where(reservations.c.user_id == self.user.id)
        own = set(await self.world.db(lambda conn: list(conn.execute(records).scalars())))
        own |= {row["order_id"] for row in await self.orders()}
        found: dict[int, dict[str, str]] = {}
        for row in await self.world.export("reservations"):
            if row["order_id"] in own:
                found.setdefault(row["order_id"], {})[row["branch"]] = row["state"]
        return found

    async def check(self) -> None:
        """All sums are what the fences say, whatever has happened; no order was ended after it was paid."""
        fences = await self.fences()
        count = Counter((branch, state) for own in fences.values() for branch, state in own.items())
        standing = {branch: sum(count[branch.value, state] for state in STANDING) for branch in Branch}
        stock, coupon, wallet = await self.goods()
        assert stock["initial"] - stock["reserved"] + stock["returned"] == stock["level"]
        assert stock["level"] == STOCK - QTY * standing[Branch.STOCK]
        assert (coupon["redeemed"], coupon["committed_fen"]) == (
            standing[Branch.COUPON],
            OFF_FEN * standing[Branch.COUPON],
        )
        assert wallet["held_fen"] == TOTAL_FEN * count["balance", "tried"]
        assert wallet["balance_fen"] == TOPPED_FEN - TOTAL_FEN * standing[Branch.BALANCE]
        orders = {row["order_id"]: row for row in await self.orders()}
        ledger = [row for row in await self.world.export("ledger") if row["order_id"] in orders]
        assert sum(row["amount_fen"] for row in ledger) == 0
        spent = sum(row["amount_fen"] for row in ledger if row["account"] == "user_balances")
        by_balance = [n for n, row in orders.items() if row["paid"] is not None and "balance" in fences[n]]
        assert spent == TOTAL_FEN * len(by_balance)

    async def check_ended(self) -> None:
        """And nothing is under way any more: every order's branches tell one story, which is the order's."""
        await self.check()
        states = {row["order_id"]: row["state"] for row in await self.orders()}
        for order_id, own in (await self.fences()).items():
            assert set(own.values()) == {"confirmed" if states.get(order_id) == "paid" else "cancelled"}, order_id


@pytest.fixture
def new_case() -> Callable[[Any], Awaitable[Case]]:
    """A function: the case on a platform."""
    return Case.of


@dataclass
class Killer:
    """Ends the process before or after a branch's unit; `asked` is what was asked of the branches so far."""

    branch: Branch | None = None
    phase: Phase | None = None
    when: str = "before"
    asked: list[tuple[Branch, Phase]] = field(default_factory=list)

    async def __call__(self, ctx: Any, branch: Branch, phase: Phase, unit: Any) -> Any:
        self.asked.append((branch, phase))
        here = (branch, phase) == (self.branch, self.phase)
        if here and self.when == "before":
            raise Killed
        value = await ctx.db.write(unit)
        if here:
            raise Killed
        return value


@pytest.fixture
def killed() -> type[BaseException]:
    return Killed


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    """Kills nobody until it is told where."""
    one = Killer()
    monkeypatch.setattr(apart, "ask", one)
    return one
