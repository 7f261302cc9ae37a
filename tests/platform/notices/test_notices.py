"""Who is told when a ticket does not come out, what came back, and what the merchant says (A14)."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_domain.notices import BY_CHANNEL, BY_MERCHANT, Answer, merchant_says, text
from o2o_domain.refusal import Refused
from o2o_domain.tickets import Escalation
from o2o_platform.kit.context import context_of
from o2o_platform.notices.notifier import Notice, Sender, StandIn

pytestmark = pytest.mark.anyio


async def nothing_printed(world: Any) -> Any:
    """A shop whose only order has no printer to go to."""
    shop = await world.shop()
    await world.paid(await world.actor("consumer"), shop)
    return shop


async def told(world: Any, eventually: Any, levels: list[str]) -> list[dict[str, Any]]:
    async def sent() -> Any:
        world.clock.advance(0.5)
        rows = await world.export("notices")
        return [row["level"] for row in rows if row["sent"]] == levels and rows

    rows: list[dict[str, Any]] = await eventually(sent)
    return rows


async def test_the_ladder_is_climbed_and_every_step_recorded(world: Any, eventually: Any) -> None:
    """A14: app, then SMS, then phone; each with what was said, to whom, and what came back."""
    shop = await nothing_printed(world)
    (first,) = await told(world, eventually, ["app"])
    (order,) = await world.export("orders")
    assert first["text"] == f"订单 #{order['order_no']} 的小票没有打印，请在商家端接单（no_printer）"
    assert (first["recipient"], first["answer"]) == (shop.ref, "read")
    world.clock.advance(360.0)
    rows = await told(world, eventually, ["app", "sms"])
    assert rows[1]["answer"] == "delivered"
    world.clock.advance(360.0)
    rows = await told(world, eventually, ["app", "sms", "phone"])
    assert rows[2]["answer"] == ("no_answer" if rows[2]["notice_id"] % 3 == 0 else "answered")
    assert all(row["made"] <= row["sent"] <= row["answered"] for row in rows)


async def test_a_merchant_says_that_he_knows(world: Any, eventually: Any) -> None:
    """A14: "written by hand" is on record; the first word stands; a stranger is not asked."""
    shop = await nothing_printed(world)
    (notice,) = await told(world, eventually, ["app"])
    path = f"/notices/{notice['notice_id']}/answer"
    stranger = (await world.shop()).owner
    assert (await stranger.post(path, {"answer": "got_it"})).status_code == 403
    assert (await stranger.get("/notices")).json() == {"notices": []}
    assert (await shop.owner.post(path, {"answer": "read"})).status_code == 422
    for _ in range(2):
        said = await shop.owner.post(path, {"answer": "by_hand"})
        assert (said.status_code, said.json()["answer"]) == (200, "by_hand")
    assert (await shop.owner.post(path, {"answer": "got_it"})).status_code == 409
    (own,) = (await shop.owner.get("/notices")).json()["notices"]
    assert own["answer"] == "by_hand"
    assert (await shop.owner.post("/notices/9999/answer", {"answer": "got_it"})).status_code == 404


async def test_staff_see_everything_by_level_and_page(world: Any, eventually: Any) -> None:
    await nothing_printed(world)
    await nothing_printed(world)
    await told(world, eventually, ["app", "app"])
    operator = await world.actor("operator")
    seen = (await operator.get("/admin/notices", limit=1)).json()["notices"]
    after = (await operator.get("/admin/notices", after=seen[0]["notice_id"])).json()["notices"]
    assert len(seen) == len(after) == 1
    assert (await operator.get("/admin/notices", level="phone")).json() == {"notices": []}
    assert (await (await world.actor("merchant")).get("/admin/notices")).status_code == 403


async def test_what_cannot_be_sent_now_waits(world: Any, eventually: Any) -> None:
    class Broken(StandIn):
        down = True

        async def send(self, notice: Notice) -> Answer | None:
            if self.down:
                raise ConnectionResetError("no line")
            return await super().send(notice)

    ctx = context_of(world.app)
    await nothing_printed(world)
    await told(world, eventually, ["app"])
    await ctx.db.write(lambda conn: conn.exec_driver_sql("UPDATE notices SET sent = NULL, answer = NULL"))
    notifier = Broken()
    sender = Sender(ctx, notifier)
    assert await sender.send() == 0
    notifier.down = False
    assert await sender.send() == 1
    assert [notice.level for notice in notifier.sent] == [Escalation.APP]


def test_every_answer_is_somebodys() -> None:
    assert BY_MERCHANT.union(*BY_CHANNEL.values()) == set(Answer)
    assert not BY_MERCHANT & frozenset().union(*BY_CHANNEL.values())
    for answer in Answer:
        for before in (None, *Answer):
            verdict = merchant_says(answer, before)
            if isinstance(verdict, Refused):
                assert answer not in BY_MERCHANT or (before in BY_MERCHANT and before != answer)
            else:
                assert verdict == answer


def test_a_reprints_notice_says_so() -> None:
    assert text(order_no="W7", state="unconfirmed", code="silent", copy_no=3) == (
        "订单 #W7 的小票（补打 2）可能没有打印成功，请查看打印机（silent）"
    )
