"""A helper service behind its breaker: asked in batches, waited for briefly, done without when it is ill (S11, A2).

Decides how a helper is asked and that asking it never fails: no answer in time, an error, an answer of another shape,
or a breaker that is open, and the caller has the fallback. Questions that come while a call is under way go together in
the next one, so a busy helper costs a call for many of them. When the breaker opens, and when it trusts the helper
again, is the domain's (`o2o_domain.breaker`); whoever wants to know is told of each change, and must not wait in it.

A helper's URL takes POST of a JSON list of questions and answers 200 with the list of as many answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from o2o_domain.breaker import Allow, Breaker, BreakerPolicy, BreakerState, on_call, on_result
from o2o_platform.kit.clock import Clock
from o2o_platform.kit.exchange import Exchange

log = logging.getLogger("o2o.helpers")

A = TypeVar("A")

CALLS_AT_ONCE = 2
"""Calls under way at once: one that hangs does not hold up all others, and the rest still gather into batches."""
MAX_BATCH = 256
"""Questions in one call at most."""


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker has changed its state; `at` is unix seconds."""

    helper: str
    at: float
    from_state: BreakerState
    to_state: BreakerState
    reason: str


@dataclass(slots=True)
class Counts:
    """What became of the questions so far. calls + rejected = questions; fallbacks = failures + rejected."""

    calls: int = 0
    """Questions that the breaker let through."""
    failures: int = 0
    """Of those, the ones that were not answered well, or not in time."""
    rejected: int = 0
    """Questions that the breaker did not let through."""
    fallbacks: int = 0
    """Questions that were answered with the fallback."""


@dataclass(slots=True, eq=False)
class _Question:
    raw: bytes
    turn: int
    asked: float
    future: asyncio.Future[Any]
    timer: asyncio.TimerHandle | None = None
    done: bool = False


class Helper(Generic[A]):
    """One helper service of this process. Answers are of `kind`, `fallback` stands in for one."""

    def __init__(
        self,
        name: str,
        url: str,
        kind: type[A],
        fallback: A,
        *,
        policy: BreakerPolicy,
        timeout_s: float,
        clock: Clock,
        on_change: Callable[[Change], None] = lambda change: None,
    ) -> None:
        self.name = name
        self.fallback = fallback
        self.counts = Counts()
        self.breaker = Breaker(policy, since=clock.now())
        self._exchange = Exchange(url)
        self._decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self._encoder = msgspec.json.Encoder()
        self._timeout_s = timeout_s
        self._clock = clock
        self._on_change = on_change
        self._waiting: deque[_Question] = deque()
        self._calls: set[asyncio.Task[None]] = set()

    async def ask(self, question: Any) -> A:
        """The helper's answer to a question (anything that msgspec writes as JSON), or the fallback. Never raises."""
        decision = on_call(self.breaker, self._clock.now())
        self._become(decision.breaker)
        if not isinstance(decision, Allow):
            self.counts.rejected += 1
            self.counts.fallbacks += 1
            return self.fallback
        self.counts.calls += 1
        loop = asyncio.get_running_loop()
        asked = _Question(self._encoder.encode(question), decision.turn, loop.time(), loop.create_future())
        asked.timer = loop.call_later(self._timeout_s, self._settle, asked, False, self.fallback)
        self._waiting.append(asked)
        if len(self._calls) < CALLS_AT_ONCE:
            self._call(loop)
        answer: A = await asked.future
        return answer

    async def close(self) -> None:
        """Give up what is under way, and hang up."""
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        self._exchange.close()

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        # The task takes its questions when it begins: what is asked until then goes with it.
        task = loop.create_task(self._exchange_one())
        self._calls.add(task)
        task.add_done_callback(self._called)

    def _called(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("helper %s: %r", self.name, error)  # a fault of this module: the questions end by their timers
        if self._waiting and not task.cancelled():
            self._call(task.get_loop())

    async def _exchange_one(self) -> None:
        batch: list[_Question] = []
        while self._waiting and len(batch) < MAX_BATCH:
            question = self._waiting.popleft()
            if not question.done:
                batch.append(question)
        if not batch:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                status, raw = await self._exchange.post(b"[%b]" % b",".join([question.raw for question in batch]))
            answers = self._decoder.decode(raw) if status == 200 else []
        except (OSError, msgspec.DecodeError):  # TimeoutError is an OSError, ValidationError a DecodeError
            answers = []
        ok = len(answers) == len(batch)
        for place, question in enumerate(batch):
            self._settle(question, ok, answers[place] if ok else self.fallback)

    def _settle(self, question: _Question, ok: bool, answer: A) -> None:
        """A question has come to its end: answered, failed, or out of time. The first end counts."""
        if question.done:
            return
        question.done = True
        if question.timer is not None:
            question.timer.cancel()
        if not ok:
            self.counts.failures += 1
            self.counts.fallbacks += 1
        took_s = question.future.get_loop().time() - question.asked
        self._become(on_result(self.breaker, question.turn, ok=ok, took_s=took_s, now=self._clock.now()))
        if not question.future.done():  # the caller may have gone away
            question.future.set_result(answer)

    def _become(self, breaker: Breaker) -> None:
        before, self.breaker = self.breaker, breaker
        if before.state is breaker.state:
            return
        log.info("breaker of %s: %s -> %s (%s)", self.name, before.state, breaker.state, breaker.reason)
        self._on_change(Change(self.name, breaker.since, before.state, breaker.state, breaker.reason))
        if breaker.state is BreakerState.OPEN:
            # Those who still wait for a call would only wait for their time to be over.
            for question in [question for question in self._waiting if not question.done]:
                self._settle(question, False, self.fallback)
            self._waiting.clear()
