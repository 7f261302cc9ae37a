"""The merchant's app with an attached printer, on both deployments (A14): shown, fetched, told of, once."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from o2o_domain.ticket_layout import parse
from o2o_platform.printing.protocols.app import ESCPOS

pytestmark = pytest.mark.anyio


class App:
    """A shop's app: the requests, and nothing else."""

    def __init__(self, shop: Any, actor: Any = None) -> None:
        self.shop = shop
        self.path = f"/merchants/{shop.id}/tickets"
        self.actor = actor or shop.owner

    async def next(self) -> Any:
        return await self.actor.get(f"{self.path}/next")

    async def token(self) -> str:
        answer = await self.next()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    async def fetch(self, token: str, **headers: str) -> Any:
        return await self.actor.call("POST", f"{self.path}/{token}/fetch", headers=headers)

    async def tell(self, token: str, code: str | None = None) -> Any:
        return await self.actor.post(f"{self.path}/{token}/result", {"code": code})


async def opened(world: Any, orders: int = 1, url: str = "app://counter") -> tuple[App, list[int]]:
    """A shop's app and its paid orders."""
    shop = await world.shop(printer={"url": url, "width_cols": 32})
    user = await world.actor("consumer")
    return App(shop), [await world.paid(user, shop, note="不要香菜") for _ in range(orders)]


async def ticket(world: Any, place: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = sorted(await world.export("tickets"), key=lambda row: row["ticket_id"])[place]
    return found


async def test_from_a_paid_order_to_paper_once(world: Any) -> None:
    app, (order,) = await opened(world)
    shown = (await app.next()).json()
    assert shown["order_id"] == order
    assert (await app.next()).json() == shown, "looking twice changes nothing"
    assert (await ticket(world))["state"] == "offered"
    answer = await app.fetch(shown["token"])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    read = parse([line["text"] for line in body["lines"]])
    assert read.complete
    assert (read.order_no, read.note) == (body["order_no"], "不要香菜")
    data = base64.b64decode(body["escpos"])
    assert body["order_no"].encode() in data
    same = await app.fetch(shown["token"], Accept=ESCPOS)
    assert (same.headers["content-type"], same.content) == (ESCPOS, data)
    assert (await ticket(world))["attempts"] == 1, "fetched again is the same attempt"
    assert (await app.next()).status_code == 204, "one is under way at a time"
    world.clock.advance(2.0)
    assert (await app.tell(shown["token"])).json() == {"changed": True}
    assert (await app.tell(shown["token"])).json() == {"changed": False}
    row = await ticket(world)
    assert row["state"] == "printed"
    assert row["printed"] - row["claimed"] == pytest.approx(2.0)
    assert (await app.fetch(shown["token"])).status_code == 409
    assert (await app.next()).status_code == 204


async def test_tickets_come_in_their_order(world: Any) -> None:
    app, orders = await opened(world, orders=3)
    printed = []
    while (answer := await app.next()).status_code == 200:
        shown = answer.json()
        await app.fetch(shown["token"])
        await app.tell(shown["token"])
        printed.append(shown["order_id"])
    assert printed == orders


async def test_what_is_not_on_paper_fails_visibly_and_the_next_goes(world: Any) -> None:
    app, orders = await opened(world, orders=2)
    token = await app.token()
    await app.fetch(token)
    assert (await app.tell(token, "paper_end")).json() == {"changed": True}
    row = await ticket(world)
    assert (row["state"], row["code"], row["escalation"]) == ("failed", "paper_end", "app")
    assert (await app.next()).json()["order_id"] == orders[1]


async def test_without_a_result_it_is_unconfirmed_and_a_late_one_is_believed(world: Any) -> None:
    app, _ = await opened(world)
    token = await app.token()
    await app.fetch(token)
    world.clock.advance(world.app.state.ctx.settings.print_result_s + 1.0)

    async def unconfirmed() -> bool:
        return bool((await ticket(world))["state"] == "unconfirmed")

    await settled(unconfirmed)
    assert (await app.fetch(token)).status_code == 409, "it may be on paper"
    assert (await app.tell(token)).json() == {"changed": True}
    assert (await ticket(world))["state"] == "printed"


async def settled(check: Any, limit_s: float = 10.0) -> None:
    end = asyncio.get_running_loop().time() + limit_s
    while not await check():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.01)


async def test_an_offer_that_nobody_took_is_made_again(world: Any) -> None:
    app, _ = await opened(world)
    token = await app.token()
    world.clock.advance(world.app.state.ctx.settings.print_offer_s + 1.0)

    async def queued() -> bool:
        return bool((await ticket(world))["state"] == "queued")

    await settled(queued)
    assert (await app.fetch(token)).status_code == 409, "look again"
    assert await app.token() == token
    assert (await app.fetch(token)).status_code == 200


async def test_whose_it_is_not_is_told_nothing(world: Any) -> None:
    app, _ = await opened(world)
    other, _ = await opened(world, orders=0, url="app://other")
    token = await app.token()
    thief = App(app.shop, other.actor)
    for answer in (await thief.next(), await thief.fetch(token), await thief.tell(token)):
        assert answer.status_code == 403
    assert (await other.fetch(token)).status_code == 409
    assert (await other.tell(token)).status_code == 404
    for nonsense in ("x", "o2o-", "o2o-999999", "o2o-99999999999999999999"):
        assert (await app.fetch(nonsense)).status_code == 409
        assert (await app.tell(nonsense)).status_code == 404
    assert (await app.actor.post(f"{app.path}/{token}/result", {"code": "No Paper!"})).status_code == 422
    assert (await ticket(world))["state"] == "offered"


async def test_a_cloud_printers_tickets_are_not_the_apps(world: Any) -> None:
    app, _ = await opened(world, url="epson://shop-17")
    assert (await app.next()).status_code == 404
    row = await ticket(world)
    assert row["state"] == "queued"
    assert (await app.fetch(f"o2o-{row['ticket_id']}")).status_code == 404
