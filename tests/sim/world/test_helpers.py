"""S11, A3 in the model: helpers die and come back, their breakers open and close, and orders go on."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_results.tables import TABLES


def rows_of(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"intended_s": float(second), **fields} for second in range(count)]


def breakers(run: Any, helper: str) -> list[tuple[str, str, str]]:
    rows = run.tables["breakers"].to_pylist()
    assert run.tables["breakers"].schema.equals(TABLES["breakers"])
    return [(row["from_state"], row["to_state"], row["reason"]) for row in rows if row["helper"] == helper]


def platform(*helpers: str, **more: Any) -> dict[str, Any]:
    return {"helpers": list(helpers), "payment": {"refuse_share": 0}, **more}


def taken(run: Any) -> int:
    return sum(row["accepted"] is not None for row in run.tables["orders"].to_pylist())


CITY = {"merchants": {"count": 6, "dishes": 4, "stock_per_dish": 5000}}


def test_without_helpers_there_is_no_breaker(play):
    run = play(*rows_of(3))
    assert run.tables["breakers"].num_rows == 0


@pytest.mark.parametrize("helper", ["risk", "recommendation", "reviews"])
def test_a_killed_helper_is_left_alone_and_trusted_again(play, helper):
    """Asked each second: dead from 100 to 200, five failures open it, a trial every 5 s relapses until it is back."""
    fault = {"helper": helper, "kill_s": 99.5, "back_s": 199.5}
    run = play(*rows_of(300), city=CITY, platform=platform("risk", "recommendation", "reviews", helper_faults=[fault]))
    assert taken(run) == 300
    for other in {"risk", "recommendation", "reviews"} - {helper}:
        assert breakers(run, other) == []
    moves = breakers(run, helper)
    assert moves[0] == ("closed", "open", "failures_in_a_row")
    assert moves[-2:] == [("open", "half_open", "open_time_over"), ("half_open", "closed", "trials_passed")]
    relapses = moves[1:-2]
    assert relapses == [("open", "half_open", "open_time_over"), ("half_open", "open", "trial_failed")] * (
        len(relapses) // 2
    )
    at = [row["at"] for row in run.tables["breakers"].to_pylist()]
    assert at == sorted(at)
    assert at[0] == 104.0  # the fifth in a row
    assert at[1] == 109.0
    assert 199.5 < at[-1] < 199.5 + 5.0 + 2.1  # the open time, then two trials a second apart


def test_orders_placed_while_risk_is_dead_are_taken_without_waiting(play):
    fault = {"helper": "risk", "kill_s": 0.5, "back_s": 5000.0}
    rows = rows_of(60)
    there = play(*rows, city=CITY, platform=platform())
    dead = play(*rows, city=CITY, platform=platform("risk", helper_faults=[fault]))
    marks = [[row["accepted"] for row in run.tables["orders"].to_pylist()] for run in (there, dead)]
    assert marks[0][1:] == marks[1][1:]  # refused connections cost nothing; the first was asked while it lived
    assert marks[1][0] > marks[0][0]


def test_a_helper_slower_than_the_time_out_costs_no_more_than_the_time_out(play):
    run = play(
        *rows_of(60),
        city=CITY,
        platform=platform("risk", helper={"mean_ms": 5000.0, "cv": 0.0}, breaker={"timeout_s": 0.25, "open_s": 600.0}),
    )
    assert breakers(run, "risk") == [("closed", "open", "failures_in_a_row")]
    waited = [row["accepted"] - row["sent"] for row in run.tables["orders"].to_pylist()]
    assert all(0.25 <= wait < 0.5 for wait in waited[:5])
    assert all(wait < 0.25 for wait in waited[5:])
    assert run.tables["breakers"]["at"].to_pylist() == [4.25]


def test_a_denied_order_is_refused_and_leaves_nothing(play):
    rows = rows_of(8, user_id=3, items=[{"dish_id": 0, "qty": 1}])
    rows.append({"intended_s": 9.0, "user_id": 3, "drop_node": 7, "items": [{"dish_id": 0, "qty": 100}]})
    city = {"merchants": {"count": 6, "dishes": 4, "stock_per_dish": 500, "price_min_fen": 4000}}
    run = play(*rows, city=city, platform=platform("risk"))
    denied = run.tables["orders"].to_pylist()[-1]
    assert (denied["state"], denied["reason"], denied["terminal"], denied["accepted"]) == (
        "refused",
        "risk_denied",
        True,
        None,
    )
    asked = [row for row in run.tables["requests"].to_pylist() if row["order_id"] == 8]
    assert [(row["name"], row["status"], row["error"]) for row in asked] == [("POST /orders", 403, "risk_denied")]
    assert taken(run) == 8
    stock = run.tables["stock"].to_pylist()[0]
    assert stock["reserved"] == 8
