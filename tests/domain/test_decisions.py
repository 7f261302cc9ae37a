"""Decisions as canonical JSON, read back and replayed."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import o2o_domain
from o2o_domain import rules
from o2o_domain.coupons import Coupon, Eligible
from o2o_domain.decisions import Decision, record, to_json
from o2o_domain.dispatch import Candidate, DispatchPolicy
from o2o_domain.errors import DomainError
from o2o_domain.orders import OrderEvent, OrderState
from o2o_domain.pools import Hold, PoolPolicy
from o2o_domain.pricing import FeePolicy, Line
from o2o_domain.refusal import Refused
from o2o_domain.tickets import PrintOutcome, PrintPolicy


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Refused("sold_out", "7"), '{"_":"Refused","code":"sold_out","detail":"7"}'),
        (OrderState.PAID, '"paid"'),
        ((1, 2.5, None, True, "辣"), '[1,2.5,null,true,"辣"]'),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ({2: 10, 1: 20}, '{"_":"map","items":[[1,20],[2,10]]}'),
        ({"_": 1}, '{"_":"map","items":[["_",1]]}'),
        (frozenset({"b", "a"}), '["a","b"]'),
        (1.0, "1.0"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_the_encoding(value: Any, text: str) -> None:
    assert to_json(value) == text


def test_equal_values_give_equal_text() -> None:
    assert to_json({"x": 1, "y": {"q": 2, "p": 3}}) == to_json({"y": {"p": 3, "q": 2}, "x": 1})
    assert to_json([1, 2]) == to_json((1, 2))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"x", {"a": {1j}}, Refused])
def test_what_has_no_encoding_is_an_error(value: Any) -> None:
    with pytest.raises(DomainError):
        to_json(value)


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("orders.step", {"kind": "order", "state": OrderState.PAID, "event": OrderEvent.ACCEPT}),
    ("orders.step", {"kind": "deal", "state": OrderState.PAID, "event": OrderEvent.ACCEPT}),
    ("pricing.price", {"lines": (Line(1, "面", 2, 900),), "fees": FeePolicy(), "distance_m": 99.5, "discount_fen": 3}),
    ("stock.reserve", {"levels": {1: 5, 2: 3}, "lines": (Line(1, "面", 2, 900),)}),
    ("coupons.eligible", {"coupon": Coupon("A", 1, 2, 3, 1, ("family",)), "items_fen": 5, "segment": "family",
                          "used_by_user": 0}),
    ("dispatch.choose_rider", {"pickup": (31.2, 121.4), "candidates": (Candidate(3, 31.21, 121.4, 0, 25.0),),
                               "policy": DispatchPolicy()}),
    ("pools.drop_due", {"hold": Hold(1, 0.0, 86_400.0), "policy": PoolPolicy(), "now_s": 1e9}),
    ("tickets.after_failure", {"policy": PrintPolicy(), "attempts": 1, "outcome": PrintOutcome.SILENT,
                               "queued_at": 0.0, "now": 1.0}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "inputs"), CALLS, ids=[rule for rule, _ in CALLS])
def test_a_logged_decision_replays_to_itself(rule: str, inputs: dict[str, Any]) -> None:
    logged = record(rule, inputs, rules.RULES[rule](**inputs))
    assert rules.replay(logged) == logged
    assert rules.read(logged.input) == inputs


def test_a_changed_output_shows() -> None:
    logged = record("hours.is_open", {"open_min": 0, "close_min": 9, "minute_of_day": 5}, False)
    assert rules.replay(logged).output == "true"


def test_reading_gives_the_value_back() -> None:
    assert rules.read(to_json(Eligible(5))) == Eligible(5)


@pytest.mark.parametrize("text", ["{", '{"_":"Nobody"}', '{"_":"Eligible","nope":1}', '{"_":"map"}'])
def test_unreadable_text_is_an_error(text: str) -> None:
    with pytest.raises(DomainError):
        rules.read(text)


@pytest.mark.parametrize(
    "decision", [Decision("orders.nope", "{}", "null"), Decision("orders.step", "[1]", "null")], ids=["rule", "input"]
)
def test_a_decision_that_cannot_be_replayed_is_an_error(decision: Decision) -> None:
    with pytest.raises(DomainError):
        rules.replay(decision)


def test_rules_are_named_after_their_functions() -> None:
    for name, rule in rules.RULES.items():
        assert f"{rule.__module__}.{rule.__name__}" == f"o2o_domain.{name}"


def test_every_value_of_the_domain_can_be_read_back_and_names_are_unique() -> None:
    found = set()
    for module in pkgutil.iter_modules(o2o_domain.__path__):
        for _, kind in inspect.getmembers(importlib.import_module(f"o2o_domain.{module.name}"), inspect.isclass):
            if kind.__module__ == f"o2o_domain.{module.name}" and dataclasses.is_dataclass(kind):
                assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
                assert hasattr(kind, "__slots__")
                found.add(kind)
    assert len({kind.__name__ for kind in found}) == len(found)
    assert set(rules.VALUES.values()) == found - {Decision}
