"""Killed between any two units of a reservation: try, confirm and cancel of each branch, before and after it (W10).

Each test ends the platform at one point, starts a fresh one on the same database, and looks at every sum. What one
process can only show by an error that nobody catches, `test_killed_process` shows with a real SIGKILL.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from o2o_domain.tcc import Branch, Phase
from o2o_platform.kit.clock import ManualClock
from o2o_platform.payments.deadline import close_unpaid
from o2o_platform.reservation import recovery
from o2o_platform.reservation.recovery import TRY_LIMIT_S, take_up

pytestmark = pytest.mark.anyio

NEVER_S = 1e12
HOURS = itertools.count()
"""All tests of a deployment are on one database, one after the other, an hour apart."""
POINTS = pytest.mark.parametrize("when", ["before", "after"])
ALL = pytest.mark.parametrize("branch", list(Branch))
HELD = pytest.mark.parametrize("branch", [Branch.STOCK, Branch.COUPON])


@pytest.fixture
def platform(shared_settings: Any, open_world: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A function, to be used in `async with`: a platform that reserves branch by branch, so many seconds later.

    What was left is taken up when the test says so, not by the background task: who is killed shall be known.
    """
    start = ManualClock().now() + next(HOURS) * 3600.0

    async def idle(ctx: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(recovery, "watch", idle)

    def opened(later_s: float = 0.0) -> Any:
        apart = replace(shared_settings, reservation="apart", sweep_interval_s=NEVER_S, payment_deadline_s=60.0)
        return open_world(apart, ManualClock(start + later_s))

    return opened


@ALL
@POINTS
async def test_killed_while_trying(
    platform: Any, new_case: Any, killer: Any, killed: Any, branch: Branch, when: str
) -> None:
    """No order was written, so all is cancelled, and the same request then places it once."""
    async with platform() as world:
        case = await new_case(world)
        killer.branch, killer.phase, killer.when = branch, Phase.TRY, when
        with pytest.raises(killed):
            await case.order("k")
        await case.check()
        killer.branch = None
    async with platform(later_s=1.0) as world:  # too early to say that nobody is at it
        case = case.seen_from(world)
        early = await case.order("k")
        assert (early.status_code, early.json()["error"]["code"]) == (503, "in_progress")
        assert early.headers["Retry-After"] == "1"
    async with platform(later_s=TRY_LIMIT_S + 1.0) as world:
        case = case.seen_from(world)
        await take_up(world.app.state.ctx)
        assert await case.orders() == []
        assert {state for own in (await case.fences()).values() for state in own.values()} == {"cancelled"}
        await case.check_ended()
        again = await case.order("k")
        assert (again.status_code, again.json()["state"]) == (201, "paid")
        assert len(await case.orders()) == 1
        await case.check_ended()


@ALL
@POINTS
async def test_killed_while_confirming(
    platform: Any, new_case: Any, killer: Any, killed: Any, branch: Branch, when: str
) -> None:
    """The order is paid: the next start confirms what is left, and the same request hears of the order."""
    async with platform() as world:
        case = await new_case(world)
        killer.branch, killer.phase, killer.when = branch, Phase.CONFIRM, when
        with pytest.raises(killed):
            await case.order("k")
        await case.check()
        killer.branch = None
    async with platform(later_s=1.0) as world:
        case = case.seen_from(world)
        await take_up(world.app.state.ctx)
        await case.check_ended()
        again = await case.order("k")
        assert (again.status_code, again.json()["state"], again.headers["Idempotent-Replayed"]) == (201, "paid", "true")
        (own,) = (await case.fences()).values()
        assert own == dict.fromkeys(Branch, "confirmed")
        (order,) = await case.orders()
        assert [row["order_id"] for row in await world.export("tickets")].count(order["order_id"]) == 1


@ALL
@POINTS
async def test_killed_while_cancelling(
    platform: Any, new_case: Any, killer: Any, killed: Any, branch: Branch, when: str
) -> None:
    """Killed twice: with everything held, and then in the middle of giving it back."""
    async with platform() as world:
        case = await new_case(world)
        killer.branch, killer.phase, killer.when = Branch.BALANCE, Phase.TRY, "after"
        with pytest.raises(killed):
            await case.order("k")
        assert [own.values() for own in (await case.fences()).values()] != []
    killer.branch = None
    async with platform(later_s=TRY_LIMIT_S - 1.0) as world:
        killer.branch, killer.phase, killer.when = branch, Phase.CANCEL, when
        world.clock.advance(2.0)
        with pytest.raises(killed):
            await take_up(world.app.state.ctx)
        case = case.seen_from(world)
        await case.check()
        killer.branch = None
    async with platform(later_s=TRY_LIMIT_S + 2.0) as world:
        case = case.seen_from(world)
        await take_up(world.app.state.ctx)
        (own,) = (await case.fences()).values()
        assert own == dict.fromkeys(Branch, "cancelled")
        assert await case.orders() == []
        await case.check_ended()


@HELD
@POINTS
async def test_killed_after_the_provider_was_paid(
    platform: Any, new_case: Any, killer: Any, killed: Any, branch: Branch, when: str
) -> None:
    """The paying unit decides; its branches are asked afterwards."""
    async with platform() as world:
        case = await new_case(world)
        placed = await case.order("k", pay_with="provider")
        await world.pay_at_provider(placed)
        killer.branch, killer.phase, killer.when = branch, Phase.CONFIRM, when
        with pytest.raises(killed):
            await take_up(world.app.state.ctx)
        await case.check()
        killer.branch = None
    async with platform(later_s=1.0) as world:
        await take_up(world.app.state.ctx)
        case = case.seen_from(world)
        await case.check_ended()
        assert [row["state"] for row in await case.orders()] == ["paid"]


@HELD
@POINTS
async def test_killed_after_an_unpaid_order_was_closed(
    platform: Any, new_case: Any, killer: Any, killed: Any, branch: Branch, when: str
) -> None:
    """The closing unit decides; what the order held goes back although the process ends."""
    async with platform() as world:
        case = await new_case(world)
        await case.order("k", pay_with="provider")
        world.clock.advance(61.0)
        await close_unpaid(world.app.state.ctx)
        killer.branch, killer.phase, killer.when = branch, Phase.CANCEL, when
        with pytest.raises(killed):
            await take_up(world.app.state.ctx)
        await case.check()
        killer.branch = None
    async with platform(later_s=62.0) as world:
        await take_up(world.app.state.ctx)
        case = case.seen_from(world)
        await case.check_ended()
        assert [row["state"] for row in await case.orders()] == ["closed"]
        stock, _, _ = await case.goods()
        assert stock["level"] == stock["initial"]


async def test_a_refused_try_gives_back_the_others_at_once(platform: Any, new_case: Any, killer: Any) -> None:
    """Too little money: stock and coupon were held in units of their own and are given back before the answer."""
    async with platform() as world:
        case = await new_case(world)
        poor = await world.actor("consumer")
        answer = await world.place(poor, case.shop, coupon_code=case.code, pay_with="balance", qty=2)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "insufficient_balance")
        tries, cancels = killer.asked[:3], killer.asked[3:]
        assert tries == [(branch, Phase.TRY) for branch in Branch]
        assert cancels == [(branch, Phase.CANCEL) for branch in Branch]
        await case.check()
        stock, coupon, _ = await case.goods()
        assert (stock["level"], coupon["committed_fen"]) == (stock["initial"], 0)


async def test_a_try_that_comes_after_its_cancel_holds_nothing(
    platform: Any, new_case: Any, killer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suspension, in the flesh: recovery gives a slow request up while it is on its way to the wallet."""
    async with platform() as world:
        case = await new_case(world)

        async def slow(ctx: Any, branch: Branch, phase: Phase, unit: Any) -> Any:
            if (branch, phase) == (Branch.BALANCE, Phase.TRY):
                world.clock.advance(TRY_LIMIT_S + 1.0)
                assert await take_up(ctx) == 1
            return await killer(ctx, branch, phase, unit)

        monkeypatch.setattr("o2o_platform.reservation.apart.ask", slow)
        answer = await case.order("k")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "reservation_given_up")
        await case.check_ended()
        assert (await case.fences()) != {}
        assert await case.orders() == []
        monkeypatch.setattr("o2o_platform.reservation.apart.ask", killer)
        assert (await case.order("k")).json()["state"] == "paid"
        await case.check_ended()


async def test_a_coupon_that_does_not_apply_is_left_out(platform: Any, new_case: Any) -> None:
    async with platform() as world:
        case = await new_case(world)
        answer = (await case.order("k", coupon_code="NONE")).json()
        assert (answer["state"], answer["coupon_refused"]) == ("paid", ["unknown_coupon"])
        (own,) = (await case.fences()).values()
        assert own == {"stock": "confirmed", "balance": "confirmed"}


async def test_one_key_by_ten_at_once_is_one_order(platform: Any, new_case: Any, killer: Any) -> None:
    """While one request is between two units the others are told to come again, or hear of the order."""
    async with platform() as world:
        case = await new_case(world)
        answers = await asyncio.gather(*(case.order("k") for _ in range(10)))
        assert {answer.status_code for answer in answers} <= {201, 503}
        numbers = {answer.json()["order_id"] for answer in answers if answer.status_code == 201}
        (order,) = await case.orders()
        assert numbers == {order["order_id"]}
        assert killer.asked.count((Branch.STOCK, Phase.TRY)) == 1
        await case.check_ended()
        other = await case.order("k", qty=1)
        assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


async def test_the_last_money_goes_to_one_of_many_orders(platform: Any, new_case: Any) -> None:
    """Five orders' worth of money and of pieces, twelve keys at once, branch by branch: never more than there is."""
    async with platform() as world:
        case = await new_case(world)
        answers = await asyncio.gather(*(case.order(f"k{n}") for n in range(12)))
        assert {answer.status_code for answer in answers} <= {201, 409, 503}
        await take_up(world.app.state.ctx)
        await case.check_ended()
        assert 1 <= len(await case.orders()) <= 5
