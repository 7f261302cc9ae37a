"""S11, A2: a helper behind its breaker, over real sockets: it never fails its caller, and is left alone when ill."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from o2o_domain.breaker import BreakerPolicy, BreakerState
from o2o_platform.kit.breaker import Change, Helper
from o2o_platform.kit.clock import ManualClock

pytestmark = pytest.mark.anyio

POLICY = BreakerPolicy(failures=3, window=10, open_s=5.0, trials=2)
FALLBACK = {"n": -1}


@dataclass
class Service:
    """A helper that doubles numbers, and how it behaves."""

    url: str = ""
    status: int = 200
    silent: bool = False
    short: bool = False
    hang_up: bool = False
    """Close each connection instead of answering."""
    keep: bool = True
    """False: answer, then close the connection without a word."""
    gate: asyncio.Event | None = None
    batches: list[list[Any]] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                questions = json.loads(await reader.readexactly(length))
                self.batches.append(questions)
                if self.gate is not None:
                    await self.gate.wait()
                if self.hang_up:
                    break
                if self.silent:
                    await asyncio.Event().wait()
                answers = [{"n": 2 * q["n"]} for q in questions]
                body = json.dumps(answers[1:] if self.short else answers).encode()
                half = len(body) // 2  # in two pieces, as a network may
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (self.status, len(body)) + body[:half])
                await writer.drain()
                await asyncio.sleep(0)
                writer.write(body[half:])
                if not self.keep:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running(service: Service, port: int = 0) -> AsyncIterator[asyncio.Server]:
    server = await asyncio.start_server(service.serve, "127.0.0.1", port)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/double/ask"
    try:
        yield server
    finally:
        server.close()


@asynccontextmanager
async def helper_of(
    service: Service, clock: ManualClock, changes: list[Change], *, timeout_s: float = 5.0
) -> AsyncIterator[Helper[dict[str, int]]]:
    helper = Helper(
        "double", service.url, dict[str, int], FALLBACK,
        policy=POLICY, timeout_s=timeout_s, clock=clock, on_change=changes.append,
    )  # fmt: skip
    try:
        yield helper
    finally:
        await helper.close()


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both loops: a platform is served on uvloop, tests of other features run on asyncio's own."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def changes() -> list[Change]:
    return []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000.0)


def moves(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.from_state.value, change.to_state.value, change.reason) for change in changes]


async def test_questions_are_answered_over_one_connection(clock: ManualClock, changes: list[Change]) -> None:
    service = Service()
    async with running(service), helper_of(service, clock, changes) as helper:
        assert [await helper.ask({"n": n}) for n in range(20)] == [{"n": 2 * n} for n in range(20)]
        assert service.connections == 1
        assert (helper.counts.calls, helper.counts.fallbacks) == (20, 0)
    assert changes == []


async def test_what_is_asked_meanwhile_goes_together_in_the_next_call(
    clock: ManualClock, changes: list[Change], eventually: Callable[..., Awaitable[Any]]
) -> None:
    service = Service(gate=asyncio.Event())
    assert service.gate
    async with running(service), helper_of(service, clock, changes) as helper:

        async def under_way() -> bool:
            return len(service.batches) == 2

        first = [asyncio.create_task(helper.ask({"n": 1}))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.append(asyncio.create_task(helper.ask({"n": 2})))
        await eventually(under_way)
        rest = [asyncio.create_task(helper.ask({"n": n})) for n in range(3, 53)]
        await asyncio.sleep(0)
        service.gate.set()
        assert await asyncio.gather(*first, *rest) == [{"n": 2 * n} for n in range(1, 53)]
    assert [len(batch) for batch in service.batches][:2] == [1, 1]
    assert len(service.batches) <= 4  # fifty questions in one or two calls
    assert sum(map(len, service.batches)) == 52


@pytest.mark.parametrize("fault", [{"status": 500}, {"short": True}, {"hang_up": True}, {"silent": True}])
async def test_a_fault_is_the_fallback_and_then_no_call_at_all(
    clock: ManualClock, changes: list[Change], fault: dict[str, Any]
) -> None:
    service = Service(**fault)
    timeout_s = 0.05 if fault.get("silent") else 5.0
    async with running(service), helper_of(service, clock, changes, timeout_s=timeout_s) as helper:
        assert [await helper.ask({"n": n}) for n in range(3)] == [FALLBACK] * 3
        assert moves(changes) == [("closed", "open", "failures_in_a_row")]
        assert changes[0].at == clock.now()
        before = len(service.batches)
        assert [await helper.ask({"n": n}) for n in range(50)] == [FALLBACK] * 50
        assert len(service.batches) == before
        counts = helper.counts
        assert (counts.calls, counts.failures, counts.rejected, counts.fallbacks) == (3, 3, 50, 53)


async def test_an_answer_of_another_shape_is_a_fault(clock: ManualClock, changes: list[Change]) -> None:
    service = Service()
    async with running(service):
        helper = Helper(
            "double", service.url, dict[str, str], {"n": "?"}, policy=POLICY, timeout_s=5.0, clock=clock
        )  # fmt: skip
        assert await helper.ask({"n": 1}) == {"n": "?"}
        assert helper.counts.failures == 1
        await helper.close()


async def test_nobody_there_opens_it_and_after_its_return_trials_close_it(
    clock: ManualClock, changes: list[Change]
) -> None:
    service = Service()
    async with running(service):
        pass  # so that the address is known, and nobody listens
    async with helper_of(service, clock, changes) as helper:
        for n in range(4):
            assert await helper.ask({"n": n}) == FALLBACK
        clock.advance(4.9)
        assert await helper.ask({"n": 1}) == FALLBACK
        assert moves(changes) == [("closed", "open", "failures_in_a_row")]
        clock.advance(0.1)
        assert await helper.ask({"n": 1}) == FALLBACK  # still down: the trial fails
        assert moves(changes)[1:] == [("open", "half_open", "open_time_over"), ("half_open", "open", "trial_failed")]
        clock.advance(5.0)
        async with running(service, int(service.url.split(":")[2].split("/")[0])):
            assert [await helper.ask({"n": n}) for n in (5, 6, 7)] == [{"n": 10}, {"n": 12}, {"n": 14}]
        assert moves(changes)[3:] == [("open", "half_open", "open_time_over"), ("half_open", "closed", "trials_passed")]
        assert [change.at for change in changes] == [1000.0, 1005.0, 1005.0, 1010.0, 1010.0]
        assert helper.breaker.state is BreakerState.CLOSED


async def test_half_open_lets_only_the_trials_through(clock: ManualClock, changes: list[Change]) -> None:
    service = Service(status=500)
    async with running(service), helper_of(service, clock, changes) as helper:
        for n in range(3):
            await helper.ask({"n": n})
        service.status, service.batches = 200, []
        clock.advance(5.0)
        answers = await asyncio.gather(*(helper.ask({"n": n}) for n in range(30)))
        assert sum(map(len, service.batches)) == 2
        assert answers == [{"n": 0}, {"n": 2}, *[FALLBACK] * 28]
        assert helper.breaker.state is BreakerState.CLOSED


async def test_a_helper_that_hangs_holds_nobody_longer_than_its_time(clock: ManualClock, changes: list[Change]) -> None:
    """Also those who were still waiting for a call: when the breaker opens they are let go."""
    service = Service(silent=True)
    async with running(service), helper_of(service, clock, changes, timeout_s=0.1) as helper:
        tasks = []
        for n in range(200):
            tasks.append(asyncio.create_task(helper.ask({"n": n})))
            if n < 5:
                await asyncio.sleep(0.002)
        assert await asyncio.gather(*tasks) == [FALLBACK] * 200
        assert len(service.batches) <= 3  # two hung, one more may have been sent until three were out of time
    assert moves(changes) == [("closed", "open", "failures_in_a_row")]


async def test_a_connection_that_was_closed_meanwhile_is_opened_again(
    clock: ManualClock, changes: list[Change]
) -> None:
    service = Service(keep=False)
    async with running(service), helper_of(service, clock, changes) as helper:
        for n in range(10):
            assert await helper.ask({"n": n}) == {"n": 2 * n}
        assert service.connections == 10
        assert helper.counts.failures == 0


async def test_a_caller_that_goes_away_leaves_the_breaker_right(clock: ManualClock, changes: list[Change]) -> None:
    service = Service(gate=asyncio.Event())
    assert service.gate
    async with running(service), helper_of(service, clock, changes) as helper:
        gone = asyncio.create_task(helper.ask({"n": 1}))
        await asyncio.sleep(0.01)
        gone.cancel()
        service.gate.set()
        assert await helper.ask({"n": 2}) == {"n": 4}
        assert (helper.counts.calls, helper.counts.failures) == (2, 0)


async def test_an_address_that_is_none_is_an_error(clock: ManualClock) -> None:
    for url in ("https://127.0.0.1/x", "127.0.0.1:80", "http://"):
        with pytest.raises(ValueError, match="http://"):
            Helper("x", url, int, 0, policy=POLICY, timeout_s=1.0, clock=clock)
