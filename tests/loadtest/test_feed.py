"""Server-sent events, line by line, as the HTML standard (section 9.2) has them."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from o2o_loadtest.feed import EventParser, Feed


def parse(text: str) -> tuple[list[tuple[str, str]], str]:
    parser = EventParser()
    events = [event for line in text.split("\n") if (event := parser.line(line))]
    return events, parser.last_id


def test_events_end_at_an_empty_line_and_carry_the_cursor() -> None:
    events, last_id = parse('id: 7\nevent: pay\ndata: {"a":1}\n\n: ping\n\nid: 8\ndata: one\ndata: two\n\n')
    assert events == [("pay", '{"a":1}'), ("message", "one\ntwo")]
    assert last_id == "8"


def test_an_event_that_was_cut_does_not_move_the_cursor() -> None:
    assert parse("id: 7\ndata: x\n\nid: 8\ndata: y")[1] == "7"


def test_only_one_space_after_the_colon_is_dropped() -> None:
    assert parse("data:  x\n\n")[0] == [("message", " x")]


def test_a_cut_feed_is_resumed_from_its_last_event() -> None:
    asked: list[str | None] = []
    seen: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id"))
        first = int(asked[-1] or 0) + 1
        body = "".join(f'id: {n}\nevent: pay\ndata: {{"n": {n}}}\n\n' for n in range(first, first + 2))
        return httpx.Response(200, text=body, headers={"content-type": "text/event-stream"})

    async def story() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://test") as http:
            done = asyncio.Event()

            def on_event(event: dict[str, Any]) -> None:
                seen.append(event["n"])
                if len(seen) == 4:
                    done.set()

            feed = Feed(http, "/feed/orders", "token", on_event)
            task = asyncio.create_task(feed.follow())
            async with asyncio.timeout(20):
                await done.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    assert seen[:4] == [1, 2, 3, 4]
    assert asked[:2] == [None, "2"]
