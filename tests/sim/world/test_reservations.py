"""Reservations in the model: fences by the domain's rule, wallets, and sums that the audit finds right (W10)."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_results.audit import audit, clean
from o2o_sim.platform_model.fence_book import WalletBook

COUPON = {"code": "LUNCH", "threshold_fen": 0, "off_fen": 100, "budget_fen": 1000, "per_user": 5}
WALLETS = {"payment": {"balance_share": 1.0, "wallet_fen": 8000}}


def fences(run: Any) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for row in run.tables["reservations"].to_pylist():
        found.setdefault(row["order_id"], {})[row["branch"]] = row["state"]
    return found


def test_paid_is_confirmed_unpaid_is_cancelled_and_refused_has_no_fence(play: Any) -> None:
    run = play(
        {"coupon_code": "LUNCH"},
        {"coupon_code": "LUNCH", "intended_s": 1.0, "pay_refused": True},
        {"intended_s": 2.0, "items": [{"dish_id": 0, "qty": 60}]},
        coupons=[COUPON],
    )
    both = ("stock", "coupon")
    assert fences(run) == {0: dict.fromkeys(both, "confirmed"), 1: dict.fromkeys(both, "cancelled")}
    assert run.tables["wallets"].num_rows == 0


def test_a_paid_order_that_is_cancelled_keeps_its_fences(play: Any, row: Any) -> None:
    run = play(
        {"pay_balance": True},
        city={"riders": {"count": 1}},
        dispatch={"max_radius_m": 0.001, "patience_s": 600},
        platform=WALLETS,
    )
    order, wallet = row(run, "orders"), row(run, "wallets")
    assert (order["state"], order["refunded_fen"]) == ("cancelled", order["total_fen"])
    assert fences(run) == {0: {"stock": "confirmed", "balance": "confirmed"}}
    assert (wallet["balance_fen"], wallet["held_fen"], wallet["topped_up_fen"]) == (8000, 0, 8000)
    payment = row(run, "payments")
    assert (payment["method"], payment["state"], payment["provider_fen"]) == ("balance", "refunded", None)


def test_an_order_from_the_wallet_is_paid_as_it_is_placed(play: Any, row: Any) -> None:
    run = play({"pay_balance": True, "coupon_code": "LUNCH"}, coupons=[COUPON], platform=WALLETS)
    order = row(run, "orders")
    assert order["paid"] == order["committed"] == order["accepted"]
    assert fences(run) == {0: dict.fromkeys(("stock", "coupon", "balance"), "confirmed")}
    assert row(run, "wallets")["balance_fen"] == 8000 - order["total_fen"]
    accounts = {entry["account"] for entry in run.tables["ledger"].to_pylist()}
    assert "user_balances" in accounts
    assert "provider_clearing" not in accounts


def test_too_little_money_holds_nothing(play: Any, row: Any) -> None:
    run = play({"pay_balance": True, "items": [{"dish_id": 0, "qty": 20}]}, platform=WALLETS)
    order, stock = row(run, "orders"), row(run, "stock")
    assert (order["state"], order["reason"], fences(run)) == ("refused", "insufficient_balance", {})
    assert (stock["reserved"], stock["level"], stock["min_level"]) == (0, stock["initial"], stock["initial"])
    assert row(run, "wallets")["balance_fen"] == 8000


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_audit_finds_every_sum_right(play: Any, share: float) -> None:
    rows = [
        {"intended_s": float(n), "coupon_code": "LUNCH", "user_id": n % 3, "pay_refused": n % 4 == 0,
         "pay_balance": share == 1.0 and n % 2 == 0}
        for n in range(12)
    ]  # fmt: skip
    run = play(*rows, coupons=[COUPON], platform={"payment": {"balance_share": share, "wallet_fen": 8000}})
    verdicts = audit(run.tables, horizon_s=run.horizon_s)
    assert clean(verdicts), [verdict for verdict in verdicts if not verdict.ok]
    assert {v.name: v.checked > 0 for v in verdicts}["reservations.wallets"] is (share > 0)


def test_what_is_held_is_spent_or_released() -> None:
    book = WalletBook({7}, 100)
    book.hold(7, 30)
    book.hold(7, 50)
    assert not book.holds(7, 21)
    book.capture(7, 30)
    book.release(7, 50)
    book.credit(7, 30)
    assert book.rows() == [{"user_id": 7, "balance_fen": 100, "held_fen": 0, "topped_up_fen": 100}]
    assert not book.holds(8, 1)
