"""The circuit breaker before a helper service: whether to call it now, and what its answers change (S11, A2, A3).

Decides when a helper counts as ill, when it is tried again and when it is trusted again. Leaves the call itself, its
time-out, the value that stands in for the answer, and the record of what changed to the shell. Both worlds use it.

    closed ──trip──► open ──try──► half_open ──pass──► closed
                      ▲                │
                      └─────relapse────┘

Sources of the rule and its figures: the breaker and its three states are M. Nygard's, Release It! (2nd ed., ch. 5); a
share of failures in a window that must be full before it counts, and an open time of 5 s, are Netflix Hystrix's (50 %
of 20 requests, sleepWindow 5,000 ms); a slow call that counts as a failure, a window of the last N calls and a number
of trial calls in half-open are resilience4j's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class BreakerState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    """All of them."""
    OPEN = "open"
    """None."""
    HALF_OPEN = "half_open"
    """A few, to see how the helper is."""


class BreakerEvent(StrEnum):
    """What moves a breaker."""

    TRIP = "trip"
    TRY = "try"
    RELAPSE = "relapse"
    PASS = "pass"


_S, _E = BreakerState, BreakerEvent

TRANSITIONS: Mapping[tuple[BreakerState, BreakerEvent], BreakerState] = MappingProxyType(
    {
        (_S.CLOSED, _E.TRIP): _S.OPEN,  # too many failures in a row, or too large a share of the last calls
        (_S.OPEN, _E.TRY): _S.HALF_OPEN,  # the open time is over, and somebody asks
        (_S.HALF_OPEN, _E.RELAPSE): _S.OPEN,  # a trial failed
        (_S.HALF_OPEN, _E.PASS): _S.CLOSED,  # enough trials did well
    }
)
"""From (state, event) to state. There is no terminal state: a helper may always fall ill, and recover."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker moves. Any of `failures` and `share` opens it."""

    failures: int = 5
    """Failed calls in a row that open it."""
    window: int = 20
    """Calls back to which the share of failures is counted; before there were so many, the share says nothing."""
    share: float = 0.5
    """Share of failures among those calls that opens it."""
    open_s: float = 5.0
    """Seconds until an open breaker lets a trial through."""
    trials: int = 2
    """Trials that may be under way at once, and that must do well, one after the other or together, to close it."""
    slow_s: float | None = None
    """A call that took this long has failed, whatever came of it; None: the caller's time-out is all there is."""

    def __post_init__(self) -> None:
        if self.failures < 1 or self.window < 1 or self.trials < 1:
            raise ValueError("failures, window and trials must be 1 or more")
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share must be above 0 and at most 1, not {self.share}")
        if not (self.open_s >= 0.0 and (self.slow_s is None or self.slow_s > 0.0)):
            raise ValueError("open_s must be 0 or more, slow_s above 0")


@dataclass(frozen=True, slots=True)
class Breaker:
    """One helper's breaker at one instant; times are seconds on the caller's clock.

    `turn` counts the changes of state. A call carries the turn in which it was allowed: what comes of a call of an
    earlier turn says nothing about the helper now, and is left out.
    """

    policy: BreakerPolicy
    state: BreakerState = BreakerState.CLOSED
    since: float = 0.0
    reason: str = ""
    """Why it came here: failures_in_a_row | failure_share | open_time_over | trial_failed | trials_passed."""
    turn: int = 0
    in_a_row: int = 0
    """Failures since the last success (closed)."""
    recent: int = 0
    """The last calls (closed) as bits, the newest lowest: 1 is a failure."""
    seen: int = 0
    """Calls in `recent`, at most the window."""
    under_way: int = 0
    """Trials without a result yet (half-open)."""
    passed: int = 0
    """Trials that did well (half-open)."""


@dataclass(frozen=True, slots=True)
class Allow:
    """Call the helper, and tell `on_result` of it with this `turn`."""

    breaker: Breaker
    turn: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Do not call; take the fallback. `retry_at`: when a call may be allowed, at the earliest."""

    breaker: Breaker
    retry_at: float


def on_call(breaker: Breaker, now: float) -> Allow | Reject:
    """Somebody wants to call the helper. The answer holds the breaker as it is afterwards."""
    if breaker.state is BreakerState.CLOSED:
        return Allow(breaker, breaker.turn)
    if breaker.state is BreakerState.OPEN:
        retry_at = breaker.since + breaker.policy.open_s
        if now < retry_at:
            return Reject(breaker, retry_at)
        breaker = _moved(breaker, BreakerEvent.TRY, now, "open_time_over")
    # A trial that has done well leaves no room for another: `trials` results decide, not more.
    if breaker.under_way + breaker.passed >= breaker.policy.trials:
        return Reject(breaker, now)
    return Allow(_counting(breaker, breaker.under_way + 1, breaker.passed), breaker.turn)


def on_result(breaker: Breaker, turn: int, *, ok: bool, took_s: float, now: float) -> Breaker:
    """A call that was allowed in `turn` has come to an end; each is told of once."""
    if turn != breaker.turn:
        return breaker
    slow_s = breaker.policy.slow_s
    well = ok and (slow_s is None or took_s < slow_s)
    if breaker.state is BreakerState.HALF_OPEN:
        if not well:
            return _moved(breaker, BreakerEvent.RELAPSE, now, "trial_failed")
        passed = breaker.passed + 1
        if passed >= breaker.policy.trials:
            return _moved(breaker, BreakerEvent.PASS, now, "trials_passed")
        return _counting(breaker, breaker.under_way - 1, passed)
    return _counted(breaker, well, now)


def _counted(breaker: Breaker, well: bool, now: float) -> Breaker:
    policy = breaker.policy
    if well and not breaker.recent:
        if breaker.seen == policy.window:
            return breaker  # all is well, as it was: the case of nearly every call
        return Breaker(policy, breaker.state, breaker.since, breaker.reason, breaker.turn, 0, 0, breaker.seen + 1)
    in_a_row = 0 if well else breaker.in_a_row + 1
    recent = ((breaker.recent << 1) | (not well)) & ((1 << policy.window) - 1)
    seen = min(breaker.seen + 1, policy.window)
    if in_a_row >= policy.failures:
        return _moved(breaker, BreakerEvent.TRIP, now, "failures_in_a_row")
    if not well and seen == policy.window and recent.bit_count() >= policy.share * policy.window:
        return _moved(breaker, BreakerEvent.TRIP, now, "failure_share")
    return Breaker(policy, breaker.state, breaker.since, breaker.reason, breaker.turn, in_a_row, recent, seen)


def _moved(breaker: Breaker, event: BreakerEvent, now: float, reason: str) -> Breaker:
    return Breaker(breaker.policy, TRANSITIONS[breaker.state, event], now, reason, breaker.turn + 1)


def _counting(breaker: Breaker, under_way: int, passed: int) -> Breaker:
    return Breaker(
        breaker.policy,
        breaker.state,
        breaker.since,
        breaker.reason,
        breaker.turn,
        under_way=under_way,
        passed=passed,
    )
