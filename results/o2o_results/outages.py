"""Outages of helper services and what became of the orders placed in them, counted for audit and report (S11).

Decides what an outage is (what the scenario planned), what a spell of a breaker is (from leaving `closed` until it is
back there), and when an order has failed for want of a helper: nobody answered it, or it was denied a verdict's way
while the one that gives verdicts was dead. A refusal for a reason of the order's own is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from o2o_domain.breaker import BreakerState
from o2o_scenarios.schema import Scenario

VERDICTS = {"risk": "risk_denied"}
"""What an order is refused with by a helper: while that helper is dead, nobody can have said so."""
SETTLE_S = 1.0
"""A process is dead at the latest so long after the planned moment; what it said until then counts."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A helper that is dead from `begin_s` to `end_s`, run seconds."""

    helper: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Spell:
    """A breaker that does not let everything through, run seconds; `end_s` is infinite if it never closed again."""

    process: str
    helper: str
    begin_s: float
    end_s: float
    trials: int
    """Times that it tried the helper, the last and good time included."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Takeout orders placed in an outage."""

    orders: int
    unanswered: tuple[int, ...]
    """Orders that nobody answered."""
    misjudged: tuple[int, ...]
    """Orders that were denied by a helper that was dead."""

    @property
    def success(self) -> float:
        """Share of the orders that did not fail; NaN if there were none."""
        return 1.0 - (len(self.unanswered) + len(self.misjudged)) / self.orders if self.orders else math.nan


def planned(scenario: Scenario) -> list[Outage]:
    """The outages of a scenario, in order."""
    speed = scenario.clock.speed
    faults = (Outage(x.helper, x.kill_s / speed, x.back_s / speed) for x in scenario.platform.helper_faults)
    return sorted(faults, key=lambda outage: outage.begin_s)


def spells(breakers: pa.Table) -> list[Spell]:
    """The spells of all breakers, by their begin."""
    found: list[Spell] = []
    begun: dict[tuple[str, str], tuple[float, int]] = {}
    for row in in_order(breakers.to_pylist()):
        key = row["process"], row["helper"]
        begin_s, trials = begun.get(key, (row["at"], 0))
        if row["to_state"] == BreakerState.CLOSED:
            found.append(Spell(*key, begin_s, row["at"], trials))
            begun.pop(key, None)
        else:
            begun[key] = begin_s, trials + (row["to_state"] == BreakerState.HALF_OPEN)
    found += [Spell(*key, begin_s, math.inf, trials) for key, (begin_s, trials) in begun.items()]
    return sorted(found, key=lambda spell: (spell.begin_s, spell.helper, spell.process))


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Changes by time; those of one instant as they were written."""
    return sorted(rows, key=lambda row: float(row["at"]))


def tally(orders: pa.Table, outage: Outage, *, until_s: float = math.inf) -> Tally:
    """What became of the orders meant in an outage (and before `until_s`)."""
    columns = ("order_id", "kind", "intended", "state", "reason")
    told = VERDICTS.get(outage.helper)
    number, unanswered, misjudged = 0, [], []
    for order_id, kind, intended, state, reason in zip(*(orders[c].to_pylist() for c in columns), strict=True):
        if kind != "order" or state == "not_sent" or not outage.begin_s <= intended < min(outage.end_s, until_s):
            continue
        number += 1
        if state == "lost":
            unanswered.append(order_id)
        elif state == "refused" and reason == told and intended >= outage.begin_s + SETTLE_S:
            misjudged.append(order_id)
    return Tally(number, tuple(unanswered), tuple(misjudged))
