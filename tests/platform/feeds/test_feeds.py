"""Feeds over the wire: who sees what, and taking up again where one left off (W9)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from o2o_platform.kit.outbox import Position

pytestmark = pytest.mark.anyio


class Feed:
    """One open feed, driven over raw ASGI (httpx's transport waits for a response's end, which a feed has not)."""

    def __init__(self, app: Any, path: str, token: str, headers: dict[str, str], query: str = "") -> None:
        raw = [(b"authorization", f"Bearer {token}".encode()), (b"host", b"platform")]
        raw += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": raw, "http_version": "1.1", "scheme": "http", "server": ("platform", 80),
            "client": ("test", 1), "root_path": "", "asgi": {"version": "3.0", "spec_version": "2.4"},
        }  # fmt: skip
        self._gone = asyncio.Event()
        self._asked = False
        self.status = 0
        self.text = ""
        self._task = asyncio.create_task(app(self._scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.text += message.get("body", b"").decode()

    def events(self) -> list[dict[str, Any]]:
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":") and line)
            if "data" in lines:
                found.append({"id": Position.parse(lines["id"]), **json.loads(lines["data"])})
        return found

    async def close(self) -> None:
        self._gone.set()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
def listen(world: Any) -> Any:
    def open_feed(actor: Any, path: str = "/feed/orders", query: str = "", **headers: str) -> Feed:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Feed(world.app, path, actor.token, named, query)

    return open_feed


async def test_a_feed_tells_an_orders_life_and_is_taken_up_again(world: Any, listen: Any, eventually: Any) -> None:
    """W9: Last-Event-ID resumes without a gap or a repetition."""
    shop, user, rider = await world.shop(), await world.actor("consumer"), await world.actor("rider")
    feed = listen(world.admin)

    async def opened() -> Any:
        return feed.text

    await eventually(opened)
    order_id = await world.paid(user, shop, key="intent-1")

    async def names() -> Any:
        seen = [event["event"] for event in feed.events()]
        return seen if "failed" in seen and "escalated" in seen else None

    assert await eventually(names) == ["placed", "pay", "queued", "failed", "escalated"]
    assert {event["order_ref"] for event in feed.events()} == {"intent-1"}
    assert {event["order_id"] for event in feed.events()} == {order_id}
    last = feed.events()[1]["id"]
    await feed.close()
    await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0})
    await shop.owner.post(f"/orders/{order_id}/accept")
    again = listen(world.admin, last_event_id=str(last))

    async def resumed() -> Any:
        seen = [event["event"] for event in again.events()]
        return len(seen) == 4 and seen

    assert await eventually(resumed) == ["queued", "failed", "escalated", "accept"]
    from_start = listen(world.admin, query="after=0")

    async def complete() -> Any:
        return len(from_start.events()) == 6

    await eventually(complete)
    ids = [event["id"] for event in from_start.events()]
    assert ids == sorted(set(ids))
    await again.close()
    await from_start.close()


async def test_each_sees_what_is_theirs(world: Any, listen: Any, eventually: Any) -> None:
    shop, other, user, rider = (
        await world.shop(), await world.shop(), await world.actor("consumer"), await world.actor("rider"),
    )  # fmt: skip
    stranger, idle = await world.actor("consumer"), await world.actor("rider")
    feeds = {
        "owner": listen(shop.owner), "other": listen(other.owner), "user": listen(user), "stranger": listen(stranger),
        "rider": listen(rider, "/feed/riders"), "idle": listen(idle, "/feed/riders"),
        "staff": listen(world.admin, "/feed/riders"),
    }  # fmt: skip

    async def opened() -> Any:
        return all(feed.text for feed in feeds.values())

    await eventually(opened)
    await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0})
    order_id = await world.paid(user, shop)
    await shop.owner.post(f"/orders/{order_id}/accept")

    async def told() -> Any:
        accepted = [any(e["event"] == "accept" for e in feeds[name].events()) for name in ("owner", "user")]
        return all(accepted) and all(feeds[name].events() for name in ("staff", "rider"))

    await eventually(told)
    (assigned,) = feeds["rider"].events()
    assert (assigned["event"], assigned["order_id"], assigned["rider_ref"]) == ("assigned", order_id, rider.ref)
    assert [feeds[name].events() for name in ("other", "stranger", "idle")] == [[], [], []]
    for feed in feeds.values():
        await feed.close()


async def test_who_may_not_and_what_is_no_cursor(world: Any, listen: Any, eventually: Any) -> None:
    user = await world.actor("consumer")
    assert (await user.get("/feed/riders")).status_code == 403
    assert (await world.client.get("/feed/orders")).status_code == 401
    bad = await world.admin.call("GET", "/feed/orders", headers={"Last-Event-ID": "yesterday"})
    assert bad.status_code == 422
