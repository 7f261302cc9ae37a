"""The audit that ends every run: each promise of the platform, checked against the run tables and nothing else.

Decides which promises there are (ALL) and how a run is put before them. Each module beside this one holds the promises
about one thing; a promise is a name, a sentence and a function from Evidence to Finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
from pydantic import ValidationError

from o2o_results.audit import (
    goods,
    helpers,
    leads,
    money,
    orders,
    printers,
    receipts,
    reservations,
    riders,
    settlement,
    slips,
    tickets,
)
from o2o_results.audit.evidence import Evidence, Finding, Promise
from o2o_results.errors import DamagedRun
from o2o_results.manifest import Manifest
from o2o_results.run import RunReader, RunTables, RunWriter
from o2o_results.verdicts import Verdict
from o2o_scenarios.schema import Scenario

__all__ = ["ALL", "Evidence", "Finding", "Promise", "Verdict", "audit", "clean"]

ALL: tuple[Promise, ...] = (
    *orders.PROMISES,
    *tickets.PROMISES,
    *receipts.PROMISES,
    *slips.PROMISES,
    *printers.PROMISES,
    *money.PROMISES,
    *settlement.PROMISES,
    *goods.PROMISES,
    *reservations.PROMISES,
    *riders.PROMISES,
    *helpers.PROMISES,
    *leads.PROMISES,
)
"""Every promise, in the order of the report."""


def audit(
    run: RunReader | RunWriter | RunTables,
    scenario: Scenario | None = None,
    *,
    horizon_s: float | None = None,
    live: bool | None = None,
    promises: Sequence[Promise] = ALL,
) -> list[Verdict]:
    """Check every promise; one Verdict each, in order.

    Of a RunReader or RunWriter the scenario, horizon and world come from the manifest. Of plain tables they are the
    arguments'; promises that need a scenario (deadlines, quota, limits) check less without one. An audit of 100,000
    orders takes seconds: tables are queried in DuckDB, only the history of leads is replayed row by row.
    """
    manifest = None if isinstance(run, Mapping) else run.manifest
    tables: Mapping[str, pa.Table] = run if isinstance(run, Mapping) else run.tables
    evidence = Evidence(
        tables,
        scenario=scenario or (_scenario(manifest) if manifest else None),
        horizon_s=manifest.horizon_s if horizon_s is None and manifest else horizon_s,
        live=live if live is not None else bool(manifest and manifest.world == "live"),
        intents=manifest.notes.get("intents") if manifest else None,
    )
    try:
        return [_verdict(promise, promise.check(evidence)) for promise in promises]
    finally:
        evidence.db.close()


def clean(verdicts: Sequence[Verdict]) -> bool:
    """Whether no promise was broken."""
    return all(verdict.ok for verdict in verdicts)


def _scenario(manifest: Manifest) -> Scenario:
    try:
        return Scenario.model_validate(manifest.scenario)
    except ValidationError as error:
        raise DamagedRun(f"{manifest.run_id}: its manifest holds no valid scenario") from error


def _verdict(promise: Promise, finding: Finding) -> Verdict:
    return Verdict(
        name=promise.name,
        ok=finding.violations == 0,
        checked=finding.checked,
        violations=finding.violations,
        examples=finding.examples,
        detail=finding.detail,
        promise=promise.text,
    )
