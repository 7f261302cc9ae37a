"""Natural batching: who goes with whom, spoiled items, losses, the bounded queue, closing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from o2o_platform.errors import Conflict, Unavailable
from o2o_platform.kit import batching
from o2o_platform.kit.batching import Batcher

pytestmark = pytest.mark.anyio


class Worker:
    """Doubles numbers; `gate` holds a batch under way; 13 spoils a batch, 14 gets an error of its own."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.losses = 0

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.seen.append(list(items))
        await self.gate.wait()
        if self.losses:
            self.losses -= 1
            raise ConnectionResetError("gone")
        if 13 in items:
            raise Conflict("spoiled", "13")
        return [Conflict("own", "14") if item == 14 else item * 2 for item in items]


def batcher(worker: Worker, **settings: int) -> Batcher[int, int]:
    limits = {"max_batch": 100, "max_queue": 100, **settings}
    return Batcher("numbers", worker, lost=lambda exc: isinstance(exc, OSError), **limits)  # type: ignore[arg-type]


async def test_arrivals_during_a_batch_go_together_in_the_next() -> None:
    worker = Worker()
    numbers = batcher(worker)
    worker.gate.clear()
    first = asyncio.ensure_future(numbers.submit(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(numbers.submit(i)) for i in range(1, 8)]
    await asyncio.sleep(0)
    worker.gate.set()
    assert await asyncio.gather(first, *rest) == [2 * i for i in range(8)]
    assert worker.seen == [[0], list(range(1, 8))]
    assert (numbers.items, numbers.batches, numbers.waiting) == (8, 2, 0)


async def test_half_of_what_is_in_play_goes_at_once_and_never_more_than_the_limit() -> None:
    worker = Worker()
    numbers = batcher(worker, max_batch=20)
    await asyncio.gather(*(numbers.submit(i) for i in range(100, 130)))
    assert [len(batch) for batch in worker.seen] == [15, 15]
    worker.seen.clear()
    await asyncio.gather(*(numbers.submit(i) for i in range(100, 200)))
    assert [len(batch) for batch in worker.seen] == [20, 20, 20, 20, 20]


@pytest.mark.parametrize("spoiled", [[13], [13, 13], [14], [13, 14]])
async def test_a_spoiled_item_gets_its_own_error_and_the_others_succeed(spoiled: list[int]) -> None:
    worker = Worker()
    numbers = batcher(worker)
    items = [1, 2, *spoiled, 3, 4, 5]
    answers = await asyncio.gather(*(numbers.submit(item) for item in items), return_exceptions=True)
    for item, answer in zip(items, answers, strict=True):
        if item in (13, 14):
            assert isinstance(answer, Conflict)
            assert answer.detail == str(item)
        else:
            assert answer == item * 2
    assert (numbers.fallbacks > 0) == (13 in spoiled)


async def test_a_lost_batch_is_tried_again_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "PAUSE_S", 0.0)
    worker = Worker()
    worker.losses = 2
    numbers = batcher(worker)
    assert await asyncio.gather(*(numbers.submit(i) for i in range(3))) == [0, 2, 4]
    assert worker.seen == [[0, 1, 2]] * 3
    assert (numbers.retries, numbers.fallbacks) == (2, 0)
    worker.losses = 99
    with pytest.raises(Unavailable) as caught:
        await numbers.submit(1)
    assert caught.value.code == "database_unavailable"
    assert worker.losses == 99 - batching.ATTEMPTS
    worker.losses = 0
    assert await numbers.submit(1) == 2


async def test_beyond_the_queue_the_answer_is_503_at_once() -> None:
    worker = Worker()
    worker.gate.clear()
    numbers = batcher(worker, max_queue=3)
    under_way = asyncio.ensure_future(numbers.submit(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = [asyncio.ensure_future(numbers.submit(i)) for i in range(1, 4)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await numbers.submit(9)
    assert (caught.value.status, caught.value.code, caught.value.headers) == (503, "overloaded", {"Retry-After": "1"})
    assert numbers.refused == 1
    worker.gate.set()
    assert await asyncio.gather(under_way, *waiting) == [0, 2, 4, 6]


async def test_a_caller_who_goes_away_while_waiting_takes_the_item_along() -> None:
    worker = Worker()
    worker.gate.clear()
    numbers = batcher(worker)
    begun = asyncio.ensure_future(numbers.submit(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone, stays = asyncio.ensure_future(numbers.submit(2)), asyncio.ensure_future(numbers.submit(3))
    await asyncio.sleep(0)
    begun.cancel()
    gone.cancel()
    await asyncio.sleep(0)
    worker.gate.set()
    assert await stays == 6
    assert worker.seen == [[1], [3]]


async def test_closing_works_off_what_waits_and_takes_nothing_more() -> None:
    worker = Worker()
    worker.gate.clear()
    numbers = batcher(worker)
    callers = [asyncio.ensure_future(numbers.submit(i)) for i in range(4)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(numbers.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await numbers.submit(9)
    worker.gate.set()
    await closing
    assert [caller.result() for caller in callers] == [0, 2, 4, 6]
