"""Benchmarks of the rules."""

from __future__ import annotations

from typing import Any

from o2o_domain import orders, pools
from o2o_domain.coupons import Coupon, Eligible, eligible
from o2o_domain.dispatch import Assigned, Candidate, DispatchPolicy, choose_rider
from o2o_domain.orders import OrderEvent, OrderState
from o2o_domain.pools import Hold, PoolPolicy
from o2o_domain.pricing import FeePolicy, Line, Quote, price

LIFE = (OrderEvent.PAY, OrderEvent.ACCEPT, OrderEvent.READY, OrderEvent.PICK_UP, OrderEvent.DELIVER)
FEES = FeePolicy(base_fen=300, free_over_fen=20_000, per_km_fen=100, free_km=2.0, commission_share=0.1)
CART = tuple(Line(dish_id, f"dish {dish_id}", 1 + dish_id % 3, 900 + 100 * dish_id) for dish_id in range(6))


def test_order_step(bench: Any) -> None:
    """Rule: order state transitions.

    A13: 200 lives from payment to delivery."""

    def lives() -> OrderState:
        for _ in range(200):
            state = OrderState.PENDING_PAYMENT
            for event in LIFE:
                state = orders.step("order", state, event)  # type: ignore[assignment]
        return state

    assert bench(lives, units=200 * len(LIFE), unit="steps") is OrderState.DELIVERED


def test_pricing(bench: Any) -> None:
    """Rule: price of a cart of six."""

    def carts() -> Any:
        for metres in range(1000, 3000, 10):
            quote = price(CART, fees=FEES, distance_m=float(metres), discount_fen=500)
        return quote

    assert isinstance(bench(carts, units=200, unit="carts"), Quote)


def test_coupon_eligibility(bench: Any) -> None:
    """Rule: coupon eligibility."""
    coupon = Coupon(
        "SAVE", threshold_fen=3000, off_fen=500, budget_fen=10**9, per_user=2, segments=("family", "social")
    )

    def ask() -> Any:
        for items_fen in range(2000, 6000, 20):
            answer = eligible(coupon, items_fen=items_fen, segment="family", used_by_user=items_fen & 1)
        return answer

    assert isinstance(bench(ask, units=200, unit="carts"), Eligible)


def test_choose_rider(bench: Any) -> None:
    """Rule: rider among 200 (S8)."""
    riders = [
        Candidate(number, 30.0 + (number * 37 % 200) * 4e-4, 120.0 + (number * 53 % 200) * 4e-4, number % 3 % 2, 24.0)
        for number in range(200)
    ]
    policy = DispatchPolicy("nearest", 6000.0)

    assert isinstance(bench(lambda: choose_rider((30.04, 120.04), riders, policy), unit="choices"), Assigned)


def test_pool_recycle(bench: Any) -> None:
    """Rule: pool drop (C7).

    A nightly recycle: which of 10,000 private leads drop."""
    policy = PoolPolicy()
    holds = [
        Hold(owner=number % 200, claimed_at_s=3600.0 * (number % 700), last_visit_s=7200.0 * (number % 400))
        for number in range(10_000)
    ]
    now_s = 30 * 86_400.0

    def recycle() -> int:
        return sum(pools.drop_due(hold, policy, now_s) is not None for hold in holds)

    dropped = bench(recycle, units=len(holds), unit="leads")
    assert 0 < dropped < len(holds)
