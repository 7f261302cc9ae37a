"""The branches' units on a real database: duplicates, empty rollback, suspension, all branches in one unit (W10)."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import Any

import pytest

from o2o_domain.tcc import Branch
from o2o_platform.errors import Conflict
from o2o_platform.payments.deadline import close_unpaid
from o2o_platform.reservation import balance, coupon, fences, records, stock
from o2o_platform.reservation.branches import CANCEL, CONFIRM

pytestmark = pytest.mark.anyio

TOTAL_FEN = 3800
COUNT = itertools.count(1_000_000)


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


class Branches:
    """The three branches of one order without an order: each phase in a unit of its own, as often as it is asked."""

    def __init__(self, case: Any) -> None:
        self.case = case
        self.db = case.world.app.state.ctx.db
        self.number = next(COUNT)

    async def begin(self) -> None:
        """What a coordinator writes down before it asks anybody."""
        row = {"user_id": self.case.user.id, "ref": f"k{self.number}", "fingerprint": "f", "branches": tuple(Branch)}
        pieces = {self.case.shop.dishes[0]: 2}
        await self.db.write(lambda conn: records.begin(conn, self.number, pieces=pieces, now=1.0, **row))
        await self.db.write(lambda conn: records.will_hold(conn, self.number, TOTAL_FEN))

    async def try_(self, branch: Branch) -> Any:
        user, dish = self.case.user.id, self.case.shop.dishes[0]
        units = {
            Branch.STOCK: partial(stock.try_, order_id=self.number, pieces={dish: 2}, now=1.0),
            Branch.COUPON: partial(
                coupon.try_,
                order_id=self.number,
                code=self.case.code,
                user_id=user,
                segment=None,
                items_fen=4000,
                now=1.0,
            ),
            Branch.BALANCE: partial(balance.try_, order_id=self.number, user_id=user, fen=TOTAL_FEN, now=1.0),
        }
        return await self.db.write(units[branch])

    async def confirm(self, branch: Branch) -> None:
        await self.db.write(lambda conn: CONFIRM[branch](conn, self.number, 2.0))

    async def cancel(self, branch: Branch) -> None:
        await self.db.write(lambda conn: CANCEL[branch](conn, self.number, 2.0))

    async def state(self, branch: Branch) -> str | None:
        found = await self.db.read(lambda conn: fences.of_order(conn, self.number))
        return found.get(branch)

    async def sums(self) -> tuple[int, int, int, int]:
        """(pieces left, fen of the coupon committed, balance, held)."""
        stock, coupon, wallet = await self.case.goods()
        return stock["level"], coupon["committed_fen"], wallet["balance_fen"], wallet["held_fen"]


UNTOUCHED = (10, 0, 20_000, 0)
TRIED = {Branch.STOCK: (8, 0, 20_000, 0), Branch.COUPON: (10, 500, 20_000, 0), Branch.BALANCE: (10, 0, 16_200, 3800)}
CONFIRMED = {**TRIED, Branch.BALANCE: (10, 0, 16_200, 0)}


@pytest.fixture
async def branches(world: Any, new_case: Any) -> Branches:
    made = Branches(await new_case(world))
    await made.begin()
    return made


@pytest.mark.parametrize("branch", list(Branch))
async def test_each_phase_asked_thrice_is_done_once(branches: Any, branch: Branch) -> None:
    first = await branches.try_(branch)
    for _ in range(2):
        assert await branches.try_(branch) == first
        assert await branches.sums() == TRIED[branch]
    for _ in range(3):
        await branches.confirm(branch)
        assert (await branches.state(branch), await branches.sums()) == ("confirmed", CONFIRMED[branch])
    with pytest.raises(Conflict, match="cancel"):
        await branches.cancel(branch)
    await branches.try_(branch)  # a double of the try, very late
    assert (await branches.state(branch), await branches.sums()) == ("confirmed", CONFIRMED[branch])


@pytest.mark.parametrize("branch", list(Branch))
async def test_what_was_tried_goes_back_once(branches: Any, branch: Branch) -> None:
    await branches.try_(branch)
    for _ in range(3):
        await branches.cancel(branch)
        assert (await branches.state(branch), await branches.sums()) == ("cancelled", UNTOUCHED)
    with pytest.raises(Conflict, match="confirm"):
        await branches.confirm(branch)


@pytest.mark.parametrize("branch", list(Branch))
async def test_an_empty_rollback_and_the_try_that_comes_after_it(branches: Any, branch: Branch) -> None:
    """The cancel overtook the try: it gives nothing back, and the try holds nothing."""
    await branches.cancel(branch)
    assert (await branches.state(branch), await branches.sums()) == ("cancelled", UNTOUCHED)
    with pytest.raises(Conflict) as refused:
        await branches.try_(branch)
    assert refused.value.code == "already_cancelled"
    assert await branches.sums() == UNTOUCHED


@pytest.mark.parametrize("branch", list(Branch))
async def test_a_confirm_without_a_try_is_refused_and_leaves_no_fence(branches: Any, branch: Branch) -> None:
    with pytest.raises(Conflict) as refused:
        await branches.confirm(branch)
    assert (refused.value.code, await branches.state(branch)) == ("not_tried", None)


@pytest.mark.parametrize("branch", list(Branch))
async def test_phases_at_once_leave_one_story(branches: Any, branch: Branch) -> None:
    """Ten of each, all at once: whoever was first, the sums are right."""
    calls = [call(branch) for _ in range(10) for call in (branches.try_, branches.confirm, branches.cancel)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(a is None or isinstance(a, Conflict) or hasattr(a, "discount_fen") for a in answers), answers
    ended = {"confirmed": CONFIRMED[branch], "cancelled": UNTOUCHED}
    assert await branches.sums() == ended[str(await branches.state(branch))]


# Together: all branches in the order's own units ----------------------------------------------------------------------


async def test_an_order_from_the_balance_is_paid_in_its_placing_unit(world: Any, new_case: Any) -> None:
    case = await new_case(world)
    placed = await case.order("k")
    assert (placed.status_code, placed.json()["state"]) == (201, "paid")
    assert "pay_url" not in placed.json()["payment"]
    (own,) = (await case.fences()).values()
    assert own == dict.fromkeys(Branch, "confirmed")
    tickets = [row["order_id"] for row in await world.export("tickets")]
    assert tickets.count(placed.json()["order_id"]) == 1
    again = await case.order("k")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (placed.json(), "true")
    await case.check_ended()


async def test_too_little_money_reserves_nothing(world: Any, new_case: Any) -> None:
    case = await new_case(world)
    rich = [await case.order(f"k{n}", coupon_code=None) for n in range(4)]  # 4 x 43 yuan of 200
    assert [answer.status_code for answer in rich] == [201] * 4
    before = await case.goods(), await case.fences(), len(await case.orders())
    refused = await case.order("k5")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "insufficient_balance")
    assert (await case.goods(), await case.fences(), len(await case.orders())) == before
    stranger = await world.actor("consumer")  # who never had a wallet
    no = await world.place(stranger, case.shop, pay_with="balance")
    assert no.json()["error"]["code"] == "insufficient_balance"


async def test_a_wallet_is_spent_once_by_orders_at_once(world: Any, new_case: Any) -> None:
    """200 yuan pay five orders of 38 yuan, and the stock has five: a sixth gets neither."""
    case = await new_case(world)
    answers = await asyncio.gather(*(case.order(f"k{n}") for n in range(12)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 7
    await case.check_ended()


@pytest.mark.parametrize("end", ["cancel", "deadline", "refused"])
async def test_an_unpaid_order_cancels_its_branches(world: Any, new_case: Any, end: str) -> None:
    case = await new_case(world)
    placed = await case.order("k", pay_with="provider")
    (own,) = (await case.fences()).values()
    assert own == {"stock": "tried", "coupon": "tried"}
    await case.check()
    if end == "cancel":
        await case.user.post(f"/orders/{placed.json()['order_id']}/cancel")
    elif end == "deadline":
        world.clock.advance(901.0)
        await close_unpaid(world.app.state.ctx)
    else:
        await world.pay_at_provider(placed, outcome="refused")
    (own,) = (await case.fences()).values()
    assert own == {"stock": "cancelled", "coupon": "cancelled"}
    await case.check_ended()


async def test_a_paid_order_confirms_its_branches(world: Any, new_case: Any) -> None:
    case = await new_case(world)
    await world.pay_at_provider(await case.order("k", pay_with="provider"))
    (own,) = (await case.fences()).values()
    assert own == {"stock": "confirmed", "coupon": "confirmed"}
    await case.check_ended()


@pytest.mark.parametrize("end", ["cancel", "reject"])
async def test_the_refund_of_a_balance_order_goes_into_the_wallet(world: Any, new_case: Any, end: str) -> None:
    """Confirmed stays confirmed: the money, the pieces and the coupon are given back as those of a paid order."""
    case = await new_case(world)
    order_id = (await case.order("k")).json()["order_id"]
    by = case.user if end == "cancel" else case.shop.owner
    assert (await by.post(f"/orders/{order_id}/{end}")).status_code == 200
    stock, used, wallet = await case.goods()
    assert (wallet["balance_fen"], wallet["held_fen"], wallet["topped_up_fen"]) == (20_000, 0, 20_000)
    assert (stock["level"], used["committed_fen"]) == (10, 0)
    (own,) = (await case.fences()).values()
    assert set(own.values()) == {"confirmed"}
    ledger = [row for row in await world.export("ledger") if row["order_id"] == order_id]
    assert sum(row["amount_fen"] for row in ledger) == 0
    assert sum(row["amount_fen"] for row in ledger if row["account"] == "user_balances") == 0
    (payment,) = [row for row in await world.export("payments") if row["order_id"] == order_id]
    assert payment["state"] == "refunded"
    assert payment["payment_id"] not in world.provider.charges  # which never heard of it
