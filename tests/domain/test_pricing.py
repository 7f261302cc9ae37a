"""Prices, delivery fees and money."""

from __future__ import annotations

import pytest

from o2o_domain.money import share, yuan
from o2o_domain.pricing import MAX_LINES, MAX_QTY, MAX_UNIT_FEN, FeePolicy, Line, Quote, delivery_fee, price
from o2o_domain.refusal import Refused

FEES = FeePolicy(base_fen=300, free_over_fen=6000, per_km_fen=100, free_km=2.0, commission_share=0.1)


def line(qty: int = 1, unit_fen: int = 1500, dish_id: int = 7) -> Line:
    return Line(dish_id, "宫保鸡丁", qty, unit_fen)


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "￥0.00"),
        (5, "￥0.05"),
        (1234, "￥12.34"),
        (-5, "-￥0.05"),
        (-1234, "-￥12.34"),
        (10_000_000, "￥100000.00"),
    ],
)
def test_yuan_is_written_with_the_fullwidth_sign(fen: int, text: str) -> None:
    assert yuan(fen) == text
    assert "\uffe5" in yuan(fen)


@pytest.mark.parametrize(
    ("fen", "part", "expected"),
    [(1005, 0.1, 101), (1004, 0.1, 100), (5, 0.1, 1), (4, 0.1, 0), (-1005, 0.1, -101), (1000, 0.0, 0), (999, 1.0, 999),
     (100, 0.285, 29), (10**12 + 5, 0.1, 10**11 + 1)],
)  # fmt: skip
def test_share_rounds_half_up_and_exactly(fen: int, part: float, expected: int) -> None:
    """100 * 0.285 is 28.499999... in floats; the share is 28.5 and rounds up."""
    assert share(fen, part) == expected


@pytest.mark.parametrize(
    ("items_fen", "distance_m", "fee"),
    [(3000, 0.0, 300), (3000, 2000.0, 300), (3000, 2000.1, 400), (3000, 3000.0, 400), (3000, 3200.0, 500),
     (5999, 3200.0, 500), (6000, 3200.0, 0), (9999, 99_999.0, 0)],
)  # fmt: skip
def test_delivery_fee_edges(items_fen: int, distance_m: float, fee: int) -> None:
    assert delivery_fee(FEES, items_fen, distance_m) == fee


def test_a_quote_adds_up() -> None:
    lines = (line(2, 1800, 1), line(1, 600, 2))
    assert price(lines, fees=FEES, distance_m=2500.0, discount_fen=500) == Quote(4200, 500, 400, 4100)


def test_a_discount_never_takes_the_items_below_zero() -> None:
    assert price((line(1, 300),), fees=FEES, distance_m=0.0, discount_fen=1000) == Quote(300, 300, 300, 300)


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ((), Refused("empty_cart")),
        ((line(0),), Refused("bad_qty", "7")),
        ((line(-1),), Refused("bad_qty", "7")),
        ((line(MAX_QTY + 1),), Refused("bad_qty", "7")),
        ((line(1), line(1, -1, 8)), Refused("bad_price", "8")),
        ((line(1, MAX_UNIT_FEN + 1),), Refused("bad_price", "7")),
        ((line(),) * (MAX_LINES + 1), Refused("too_many_lines", str(MAX_LINES + 1))),
    ],
)
def test_what_cannot_be_priced_is_refused(lines: tuple[Line, ...], refused: Refused) -> None:
    assert price(lines, fees=FEES, distance_m=100.0) == refused


@pytest.mark.parametrize("distance_m", [-1.0, float("inf"), float("nan")])
def test_a_distance_that_is_none_is_refused(distance_m: float) -> None:
    refused = price((line(),), fees=FEES, distance_m=distance_m)
    assert isinstance(refused, Refused)
    assert refused.code == "bad_distance"


def test_a_negative_discount_is_refused() -> None:
    assert price((line(),), fees=FEES, distance_m=0.0, discount_fen=-1) == Refused("bad_discount", "-1")


@pytest.mark.parametrize("qty", [1, MAX_QTY])
def test_the_edges_of_a_quantity_are_sold(qty: int) -> None:
    quote = price((line(qty, 10),), fees=FEES, distance_m=0.0)
    assert isinstance(quote, Quote)
    assert quote.items_fen == qty * 10


@pytest.mark.parametrize("unit_fen", [0, MAX_UNIT_FEN])
def test_the_edges_of_a_price_are_sold(unit_fen: int) -> None:
    quote = price((line(1, unit_fen),), fees=FEES, distance_m=0.0)
    assert isinstance(quote, Quote)
    assert quote.items_fen == unit_fen
