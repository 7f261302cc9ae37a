"""Wallets against the ledger (A9): what came in, what orders took, what is left."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from o2o_results.audit import audit
from o2o_results.audit.settlement import PROMISES
from o2o_results.run import as_table
from o2o_results.tables import TABLES

WALLETS = [promise for promise in PROMISES if promise.name == "ledger.wallets"]
pytestmark = pytest.mark.skipif("wallets" not in TABLES, reason="the run tables hold no wallets")


def tables(**changes: Any) -> dict[str, pa.Table]:
    """One user put in 100.00, spent 48.00 and got 9.00 back; 5.00 are held by an order."""
    known = {"user_id": 1, "balance_fen": 5600, "held_fen": 500, "topped_up_fen": 10_000, **changes}
    row = {name: known.get(name) for name in TABLES["wallets"].names}
    entry = {"order_id": 1, "at": 1.0, "account": "user_balances"}
    entries = [
        {**entry, "entry_id": 1, "txn_id": 1, "reason": "paid", "amount_fen": 4800},
        {**entry, "entry_id": 2, "txn_id": 2, "reason": "part_refunded", "amount_fen": -900},
    ]
    return {"wallets": as_table("wallets", [row]), "ledger": as_table("ledger", entries)}


def test_wallets_hold_what_the_ledger_says() -> None:
    (verdict,) = audit(tables(), promises=WALLETS)
    assert verdict.ok
    assert verdict.checked == 1


@pytest.mark.parametrize("changes", [{"balance_fen": 5601}, {"held_fen": 0}, {"topped_up_fen": 9999}])
def test_money_that_appears_or_vanishes_is_caught(changes: dict[str, int]) -> None:
    (verdict,) = audit(tables(**changes), promises=WALLETS)
    assert not verdict.ok
    assert "wallets hold" in verdict.examples[0]
