"""Promises about helper services: orders go on without them, and their breakers do as the table says (S11, A3).

Leaves what an outage is, and when an order has failed for want of a helper, to `o2o_results.outages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from o2o_domain.breaker import TRANSITIONS, BreakerState
from o2o_results.audit.evidence import EXAMPLES, Evidence, Finding, Promise
from o2o_results.outages import in_order, planned, spells, tally

SUCCESS = 0.999
"""Share of the orders placed in an outage that must not fail."""
LAST_S = 10.0
"""Orders meant so shortly before the run's end may still wait for their answer."""
RETURN_S = 5.0
"""A helper that is started again answers within this time."""
ENOUGH = 20
"""Orders after which a breaker has been asked often enough to have opened, or closed."""

_LEGAL = {(before, after) for (before, _), after in TRANSITIONS.items()}


def orders_go_on(evidence: Evidence) -> Finding:
    """Of the orders placed while a helper was dead, at least 99.9 % were answered; none was denied in its name."""
    if evidence.scenario is None:
        return Finding(0, 0)
    checked = violations = 0
    examples: list[str] = []
    told: list[str] = []
    for outage in planned(evidence.scenario):
        found = tally(evidence.tables["orders"], outage, until_s=evidence.end() - LAST_S)
        checked += found.orders
        if not found.orders:
            continue
        told.append(f"{outage.helper}: {found.success:.2%} of {found.orders:,} orders in its outage")
        if 1.0 - len(found.unanswered) / found.orders < SUCCESS:
            violations += len(found.unanswered)
            examples += [f"order {which}: no answer while {outage.helper} was dead" for which in found.unanswered]
        violations += len(found.misjudged)
        examples += [f"order {which}: denied by {outage.helper}, which was dead" for which in found.misjudged]
    return Finding(checked, violations, tuple(examples[:EXAMPLES]), "; ".join(told))


def changes_legal(evidence: Evidence) -> Finding:
    """Each breaker begins closed, moves along its table, and stays open for its open time."""
    rows = _rows(evidence)
    open_s = evidence.scenario.platform.breaker.open_s if evidence.scenario else 0.0
    last: dict[tuple[str, str], tuple[str, float]] = {}
    wrong: list[str] = []
    for row in rows:
        key = row["process"], row["helper"]
        state, since = last.get(key, (BreakerState.CLOSED.value, float("-inf")))
        name = f"breaker of {row['helper']} at {row['at']:.3f} s"
        if row["from_state"] != state:
            wrong.append(f"{name}: leaves {row['from_state']}, but was {state}")
        elif (row["from_state"], row["to_state"]) not in _LEGAL:
            wrong.append(f"{name}: from {row['from_state']} to {row['to_state']}")
        elif state == BreakerState.OPEN and row["at"] - since < open_s - 1e-3:
            wrong.append(f"{name}: tried {row['at'] - since:.3f} s after it opened")
        last[key] = row["to_state"], row["at"]
    return Finding(len(rows), len(wrong), tuple(wrong[:EXAMPLES]))


def outages_seen(evidence: Evidence) -> Finding:
    """The breaker of a helper that died while it was needed opened, and closed when it was back and needed again."""
    outages = planned(evidence.scenario) if evidence.scenario is not None else []
    if evidence.scenario is None or not outages:
        return Finding(0, 0)
    known = spells(evidence.tables["breakers"]) if "breakers" in evidence.tables else []
    open_s = evidence.scenario.platform.breaker.open_s
    orders, end_s = evidence.tables["orders"], evidence.end()
    wrong: list[str] = []
    checked = 0
    for outage in outages:
        if tally(orders, outage).orders < ENOUGH:
            continue
        checked += 1
        mine = [x for x in known if x.helper == outage.helper and outage.begin_s <= x.begin_s < outage.end_s + RETURN_S]
        if not mine:
            wrong.append(f"{outage.helper} died at {outage.begin_s:.1f} s and its breaker did not open")
            continue
        trusted_s = outage.end_s + RETURN_S + 2 * open_s
        again = [x.begin_s for x in outages if x.helper == outage.helper and x.begin_s > outage.begin_s]
        after = evidence.count(
            "select count(*) from orders where kind = 'order' and intended between $begin and $end",
            begin=trusted_s,
            end=min([end_s, *again]),
        )
        enough = ENOUGH * len(
            {spell.process for spell in mine}
        )  # each has a breaker of its own, and its share of orders
        if after >= enough and any(spell.end_s > min([end_s, *again]) for spell in mine):
            wrong.append(f"{outage.helper} was back at {outage.end_s:.1f} s and its breaker did not close")
    return Finding(checked, len(wrong), tuple(wrong[:EXAMPLES]))


def _rows(evidence: Evidence) -> list[Mapping[str, Any]]:
    table = evidence.tables.get("breakers")
    return in_order(table.to_pylist()) if table is not None else []


PROMISES = (
    Promise("helpers.orders_go_on", "While a helper is dead, at least 99.9 % of the orders go on", orders_go_on),
    Promise("helpers.changes_legal", "Breakers open, try and close as their table says", changes_legal),
    Promise("helpers.outages_seen", "A dead helper's breaker opens, and closes after its return", outages_seen),
)
