"""An order's life in the model: marks, money, and every way to end early (A13, A4, A6)."""

from __future__ import annotations

import pytest

from o2o_results.tables import LIFE_MARKS, MARKS

COUPON = {"code": "LUNCH", "threshold_fen": 0, "off_fen": 100, "budget_fen": 100, "per_user": 5}


def test_an_order_is_delivered_with_every_mark_in_order(play, row):
    run = play({"review_stars": 4, "note": "少辣"})
    order = row(run, "orders")
    assert (order["state"], order["terminal"], order["stars"]) == ("delivered", True, 4)
    path = [order[mark] for mark in (*MARKS, *LIFE_MARKS)]
    assert None not in path
    assert path == sorted(path)
    assert order["closed"] == order["delivered"]
    assert order["promised"] == order["intended"] + 45 * 60
    assert order["ready"] >= order["cooking"] + 300
    receipt = row(run, "receipts")
    assert receipt["complete"]
    assert receipt["order_no"] == order["order_no"]
    assert [(line["name"], line["qty"]) for line in receipt["lines"]] == [
        (line["name"], line["qty"]) for line in order["items"]
    ]
    assert receipt["total_fen"] == order["total_fen"]
    assert "少辣" in receipt["text"]


def test_refused_payment_gives_stock_back(play, row):
    run = play({"pay_refused": True})
    order, stock, payment = row(run, "orders"), row(run, "stock"), row(run, "payments")
    assert (order["state"], order["reason"], order["paid"], order["paid_fen"]) == (
        *("payment_failed", "payment_refused"),
        *(None, 0),
    )
    assert (stock["reserved"], stock["returned"], stock["level"]) == (1, 1, stock["initial"])
    assert (payment["state"], payment["provider_state"], payment["provider_fen"]) == ("refused", "refused", None)
    assert run.tables["tickets"].num_rows == 0
    assert run.tables["ledger"].num_rows == 0


def test_unpaid_order_is_closed_at_the_deadline_and_late_money_goes_back(play, row):
    run = play({"pay_confirm_s": 950.0})
    order, payment = row(run, "orders"), row(run, "payments")
    assert (order["state"], order["reason"], order["paid"]) == ("closed", "unpaid", None)
    assert order["closed"] == pytest.approx(order["accepted"] + 900.0)
    assert order["paid_fen"] == order["refunded_fen"] == order["total_fen"] > 0
    assert (payment["state"], payment["provider_refunded_fen"]) == ("refunded", order["total_fen"])
    ledger = run.tables["ledger"]
    assert sum(ledger["amount_fen"].to_pylist()) == 0
    assert set(ledger["reason"].to_pylist()) == {"paid", "late_payment"}
    assert row(run, "stock")["level"] == row(run, "stock")["initial"]


def test_sold_out_is_refused_and_holds_nothing(play, row):
    run = play({"items": [{"dish_id": 0, "qty": 40}]}, {"items": [{"dish_id": 0, "qty": 11}], "intended_s": 1.0})
    second = row(run, "orders", 1)
    assert (second["state"], second["reason"], second["order_no"]) == ("refused", "sold_out", None)
    assert second["closed"] is not None
    assert (row(run, "stock")["level"], row(run, "stock")["min_level"]) == (10, 10)
    answers = [request["status"] for request in run.tables["requests"].to_pylist() if request["order_id"] == 1]
    assert answers == [409]


@pytest.mark.parametrize(("minute", "state"), [(719, "delivered"), (720, "refused")])
def test_a_closed_merchant_takes_no_orders(play, row, minute, state):
    run = play(
        {"intended_s": (minute - 660) * 60.0}, city={"merchants": {"close_min": 720}}, clock={"duration_s": 4000}
    )
    assert row(run, "orders")["state"] == state


def test_a_kitchen_that_went_home_rejects_what_was_paid_late(play, row):
    # Ordered a minute before closing, paid ten minutes later, on paper after the grace of a quarter of an hour.
    run = play(
        {"intended_s": 59 * 60.0, "pay_confirm_s": 899.0, "pay_callback_s": 200.0},
        city={"merchants": {"close_min": 720}},
        clock={"duration_s": 4000},
        platform={"payment": {"deadline_s": 3600}},
    )
    order = row(run, "orders")
    assert (order["state"], order["reason"]) == ("rejected", "kitchen_closed")
    assert order["refunded_fen"] == order["paid_fen"] > 0
    assert row(run, "stock")["level"] == row(run, "stock")["initial"]


def test_without_a_rider_the_order_is_cancelled_after_the_patience_and_refunded(play, row):
    run = play(
        {"coupon_code": "LUNCH"},
        city={"riders": {"count": 1}},
        dispatch={"max_radius_m": 0.001, "patience_s": 600},
        coupons=[COUPON],
    )
    order = row(run, "orders")
    assert (order["state"], order["reason"], order["rider_id"]) == ("cancelled", "no_rider", None)
    assert order["closed"] == pytest.approx(order["cooking"] + 600.0)
    assert order["refunded_fen"] == order["paid_fen"] == order["total_fen"]
    assert row(run, "stock")["returned"] == 1
    coupon = row(run, "coupons")
    assert (coupon["claimed"], coupon["redeemed"], coupon["returned"], coupon["committed_fen"]) == (1, 0, 1, 0)
    payments = row(run, "payments")
    assert payments["provider_fen"] == payments["provider_refunded_fen"]


def test_a_coupon_is_used_until_its_budget_is_gone_and_again_when_it_is_given_back(play, row):
    run = play(
        {"coupon_code": "LUNCH", "pay_refused": True, "user_id": 1},
        {"coupon_code": "LUNCH", "intended_s": 0.05, "user_id": 2},
        {"coupon_code": "LUNCH", "intended_s": 60.0, "user_id": 3},
        {"coupon_code": "NONE", "intended_s": 61.0, "user_id": 4},
        coupons=[COUPON],
    )
    orders = run.tables["orders"].to_pylist()
    assert [order["discount_fen"] for order in orders] == [100, 0, 100, 0]
    assert [order["coupon_code"] for order in orders] == ["LUNCH", None, "LUNCH", None]
    assert [order["coupon_refused"] for order in orders] == [None, "budget_exhausted", None, "unknown_coupon"]
    coupon = row(run, "coupons")
    assert (coupon["committed_fen"], coupon["redeemed_fen"], coupon["returned"]) == (100, 100, 1)


def test_a_segment_that_may_not_use_a_coupon_gets_the_reasons(play, row):
    dear = {**COUPON, "threshold_fen": 10_000_00, "segments": ["family"]}
    order = row(play({"coupon_code": "LUNCH"}, coupons=[dear]), "orders")
    assert order["coupon_refused"] == "below_threshold,segment"
    assert order["state"] == "delivered"


def test_a_deal_is_paid_issued_and_redeemed_once(play, row):
    run = play(
        {"kind": "deal", "redeem_after_s": 300.0}, {"kind": "deal", "intended_s": 5.0}, demand={"deals_per_hour": 10}
    )
    used, kept = run.tables["orders"].to_pylist()
    assert (used["state"], used["terminal"], kept["state"], kept["terminal"]) == ("redeemed", True, "issued", True)
    assert used["closed"] == pytest.approx(used["committed"] + 300.0, abs=1.0)
    assert used["printed"] is None
    assert used["paid_fen"] == used["items_fen"] > 0
    vouchers = run.tables["vouchers"].to_pylist()
    assert [(voucher["state"], voucher["redemptions"]) for voucher in vouchers] == [("redeemed", 1), ("issued", 0)]
