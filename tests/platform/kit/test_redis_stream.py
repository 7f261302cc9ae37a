"""The stream in Redis: in order, once, resumed; groups: claimed from the dead, buried with a reason, behind (W9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
import pytest
import redis as redis_sync

from o2o_platform.errors import PlatformError
from o2o_platform.kit.outbox import START, Position
from o2o_platform.kit.redis_group import Delivery, Group
from o2o_platform.kit.redis_stream import Entry, RedisStream, connect

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stream(redis_place: tuple[str, str]) -> AsyncIterator[RedisStream]:
    made = RedisStream(*redis_place)
    yield made
    await made.close()


def entry(xid: int, seq: int, queue: str | None = None) -> Entry:
    return Entry(Position(xid, seq), float(seq), "tickets", "queued", f'{{"n":{seq}}}', queue)


async def test_entries_keep_their_positions_and_enter_once(stream: RedisStream) -> None:
    assert await stream.last() == START
    assert await stream.add([entry(7, 1), entry(7, 2), entry(9, 1)], START, 5.0)
    assert await stream.last() == Position(9, 1)
    assert not await stream.add([entry(7, 2), entry(9, 1), entry(9, 2)], Position(7, 1), 6.0)  # from an old end
    assert not await stream.add([entry(9, 9)], START, 6.0)
    assert await stream.add([entry(9, 2)], Position(9, 1), 6.0)
    async with aclosing(stream.tail(Position(7, 1))) as pages:
        events = await anext(pages)
    assert [event.id for event in events] == [(7, 2), (9, 1), (9, 2)]
    assert [event.committed for event in events] == [5.0, 5.0, 6.0]
    first = events[0]
    assert (first.at, first.topic, first.name, first.payload) == (2.0, "tickets", "queued", {"n": 2})


async def test_a_tail_waits_for_what_comes(stream: RedisStream) -> None:
    async with aclosing(stream.tail(START)) as pages:
        waiting = asyncio.ensure_future(anext(pages))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        await stream.add([entry(1, 1)], START, 0.0)
        assert [event.id for event in await waiting] == [(1, 1)]


async def test_a_tail_ends_when_it_is_told_to(stream: RedisStream) -> None:
    """Whenever it is cancelled, even while it connects."""

    async def feed() -> None:
        async for _ in stream.tail(START):
            pass

    for turn in range(40):
        task = asyncio.create_task(feed())
        await asyncio.sleep(0.0005 * (turn % 20))
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=10)
        assert done


async def test_the_stream_keeps_what_it_is_told_to(redis_place: tuple[str, str]) -> None:
    stream = RedisStream(*redis_place, keep=100)
    for n in range(10):
        await stream.add([entry(1, n * 100 + i) for i in range(1, 101)], Position(1, n * 100) if n else START, 0.0)
    length = await stream.client.xlen(stream.key("events"))
    assert 100 <= length < 300  # trimmed node by node
    assert await stream.last() == Position(1, 1000)
    await stream.close()


async def test_work_goes_into_its_queue_once_even_if_the_stream_lost_it(stream: RedisStream) -> None:
    await stream.add([entry(1, 1, "a"), entry(1, 2), entry(1, 3, "b"), entry(1, 4, "a")], START, 0.0)
    await stream.client.delete(stream.key("events"))  # as if Redis had lost this and kept that
    assert await stream.add([entry(1, n, "a" if n != 2 else None) for n in (1, 2, 4, 5)], START, 0.0)
    group = Group(stream, "g", "one")
    assert await group.read(["a", "b"], block_s=0) == []  # no group yet: it joins, from the beginning
    found = await group.read(["a", "b"])
    assert sorted((one.queue, one.event.id.seq) for one in found) == [("a", 1), ("a", 4), ("a", 5), ("b", 3)]


async def fill(stream: RedisStream, count: int) -> None:
    await stream.add([entry(1, n, "q") for n in range(1, count + 1)], START, 0.0)


async def joined(stream: RedisStream, consumer: str, max_deliveries: int = 5) -> Group:
    group = Group(stream, "g", consumer, max_deliveries=max_deliveries)
    await group.join(["q"])
    return group


def numbers(found: list[Delivery]) -> list[int]:
    return [one.event.id.seq for one in found]


async def test_two_consumers_share_and_the_dead_ones_entries_are_claimed(stream: RedisStream) -> None:
    """W9: nothing that was read and not acknowledged is lost."""
    await fill(stream, 10)
    dead, alive = await joined(stream, "dead"), await joined(stream, "alive")
    taken = await dead.read(["q"], count=4)
    assert numbers(taken) == [1, 2, 3, 4]
    await dead.ack([(one.queue, one.id) for one in taken[:1]])
    assert numbers(await alive.read(["q"], count=100)) == [5, 6, 7, 8, 9, 10]
    assert await alive.claim("q", 60.0) == []  # nobody is idle for so long
    assert set(numbers(await alive.claim("q", 0.0))) == {2, 3, 4, 5, 6, 7, 8, 9, 10}
    lag = await alive.lag(["q"])
    assert (lag.unread, lag.pending) == (0, 9)


async def test_lag_shows_what_is_unread_and_pending(stream: RedisStream) -> None:
    await fill(stream, 10)
    group = await joined(stream, "one")
    assert (await group.lag(["q"])).unread == 10
    taken = await group.read(["q"], count=3)
    await asyncio.sleep(0.01)
    lag = await group.lag(["q"])
    assert (lag.unread, lag.pending) == (7, 3)
    assert lag.oldest_pending_s >= 0.01
    await group.ack([(one.queue, one.id) for one in taken])
    assert (await group.lag(["q", "no-such-queue"])).oldest_pending_s == 0.0


async def test_what_is_delivered_too_often_is_a_dead_letter_with_its_reason(stream: RedisStream) -> None:
    await fill(stream, 2)
    group = await joined(stream, "one", max_deliveries=3)
    first, _ = await group.read(["q"])
    for _ in range(2):
        assert numbers(await group.claim("q", 0.0)) == [1, 2]
    await group.ack([(first.queue, first.id)])
    assert await group.claim("q", 0.0) == []
    (letter,) = await group.dead()
    assert letter == ("q", "1-2", "delivered 3 times", '{"n":2}')
    assert (await group.lag(["q"])).pending == 0
    assert group.buried == 1


async def test_what_cannot_be_read_is_a_dead_letter_at_once(stream: RedisStream) -> None:
    await stream.client.xadd(stream.key("q"), {"foo": "bar"}, id="1-1")
    await stream.client.xadd(
        stream.key("q"), {"at": 1.0, "topic": "t", "name": "n", "payload": "{broken", "committed": 1.0}, id="1-2"
    )
    await stream.add([entry(1, 3, "q")], START, 0.0)
    group = await joined(stream, "one")
    assert numbers(await group.read(["q"])) == [3]
    assert [(letter.entry, letter.reason.split(":")[0]) for letter in await group.dead()] == [
        ("1-1", "unreadable"),
        ("1-2", "unreadable"),
    ]
    assert (await group.lag(["q"])).pending == 1


async def test_trimming_cuts_only_what_is_acknowledged(stream: RedisStream) -> None:
    await fill(stream, 10)
    group = await joined(stream, "one")
    taken = await group.read(["q"], count=6)
    await group.ack([(one.queue, one.id) for one in taken[:2] + taken[3:]])
    assert await group.trim(["q"]) == 2  # 3 is in somebody's hands
    assert numbers(await group.claim("q", 0.0)) == [3]
    await group.ack([(taken[2].queue, taken[2].id)])
    assert await group.trim(["q", "no-such-queue"]) == 3  # the last one stays, and with it the stream's last id
    assert numbers(await group.read(["q"])) == [7, 8, 9, 10]
    assert (await group.lag(["q"])).unread == 0


async def test_a_group_that_redis_has_forgotten_is_made_again(
    redis_place: tuple[str, str], stream: RedisStream
) -> None:
    await fill(stream, 2)
    group = await joined(stream, "one")
    await group.read(["q"])
    redis_sync.Redis.from_url(redis_place[0]).delete(stream.key("q"))
    assert await group.claim("q", 0.0) == []
    assert await group.read(["q"], block_s=0) == []
    await stream.client.delete(stream.key("events"))
    await fill(stream, 3)
    assert numbers(await group.read(["q"])) == [1, 2, 3]


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(PlatformError, match="redis://"):
        connect("memcached://x")


async def test_a_payload_is_decoded_when_it_is_asked_for(stream: RedisStream) -> None:
    """Whoever tails pays for what they look at: an event of no concern may even be unreadable."""
    broken = entry(1, 1)._replace(topic="others", payload="{broken")
    assert await stream.add([broken, entry(1, 2)], START, 5.0)
    async with aclosing(stream.tail(START)) as pages:
        first, second = await anext(pages)
    assert (first.id, first.topic) == ((1, 1), "others")
    with pytest.raises(msgspec.DecodeError):
        _ = first.payload
    assert second.payload == {"n": 2}
    assert second.payload is second.payload  # once for all subscribers
