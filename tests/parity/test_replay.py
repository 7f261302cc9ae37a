"""One log through both worlds: what the model decided, the platform decides, answer by answer and in its tables.

The log is a model run's: every arrival, payment, deadline and call of an actor at its instant (items 8 and 9 of the
house rules: one rule, two clocks).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from o2o_domain import rules
from o2o_domain.decisions import Decision
from o2o_results.audit import audit, clean

pytestmark = pytest.mark.anyio

AMOUNTS = ("items_fen", "discount_fen", "delivery_fee_fen", "total_fen")
MARKS = ("accepted", "cooking", "assigned", "ready", "picked_up", "delivered", "closed")


def test_the_log_is_worth_replaying(lunch: Any) -> None:
    orders, verbs = lunch.rows("orders"), Counter(act.verb for act in lunch.acts)
    assert len(orders) > 150
    reasons = Counter(order["reason"] for order in orders if order["reason"])
    assert {"sold_out", "payment_refused", "unpaid", "no_rider", "insufficient_balance"} <= set(reasons)
    fences = Counter((row["branch"], row["state"]) for row in lunch.rows("reservations"))
    assert {*fences} >= {(branch, state) for branch in ("stock", "coupon") for state in ("confirmed", "cancelled")}
    assert fences["balance", "confirmed"] > 10
    refusals = {code for order in orders if order["coupon_refused"] for code in order["coupon_refused"].split(",")}
    assert refusals == {"below_threshold", "budget_exhausted", "per_user_limit", "segment"}
    assert sum(order["discount_fen"] > 0 for order in orders) > 10
    assert verbs["delivered"] > 40
    assert verbs["redeem"] > 3
    assert verbs["claim"] > 10
    assert verbs["sign"] > 2
    assert verbs["extend"] > 2
    assert any(act.verb == "rider_offline" and act.status == 409 for act in lunch.acts)


def test_each_decision_of_the_log_is_the_rules_decision(lunch: Any) -> None:
    rows = lunch.rows("decisions")
    assert len(rows) > 1000
    assert {row["rule"] for row in rows} >= {
        *(
            "coupons.claim",
            "coupons.eligible",
            "deals.buy",
            "deals.redeem",
            "dispatch.choose_rider",
            "dispatch.next_for",
        ),
        *("dispatch.give_up", "hours.is_open", "leads.sign", "leads.visit", "orders.step", "payments.on_callback"),
        *(
            "pools.claim",
            "pools.extend",
            "pricing.price",
            "reviews.review",
            "stock.reserve",
            "tcc.decide",
            "tickets.after_failure",
            "tickets.step",
        ),
    }
    for row in rows:
        logged = Decision(row["rule"], row["input"], row["output"])
        assert rules.replay(logged) == logged


def test_the_models_tables_pass_the_audit(lunch: Any) -> None:
    verdicts = audit(lunch.tables, lunch.scenario, live=False)
    assert clean(verdicts), [verdict for verdict in verdicts if not verdict.ok]


async def test_the_platform_decides_what_the_model_decided(lunch: Any, replayed: Any) -> None:
    twin, answers = replayed
    for act, answer in zip(lunch.acts, answers, strict=True):
        _same_answer(act, answer, twin)
    orders, theirs = _by_intent(lunch.rows("orders")), _platform_orders(await twin.world.export("orders"))
    assert {number for number, order in orders.items() if order["accepted"] is not None} == set(theirs)
    for number, order in theirs.items():
        _same_order(orders[number], order, twin)
    await _same_books(lunch, twin, theirs)
    await _same_goods(lunch, twin, theirs)
    await _same_leads(lunch, twin)


def _same_answer(act: Any, answer: tuple[int, Any], twin: Any) -> None:
    status, body = answer
    if act.verb == "place":
        return  # compared order by order
    assert status // 100 == act.status // 100, (act, answer)
    if status >= 400:
        assert (status, body["error"]["code"]) == (act.status, act.body["error"]["code"]), act
    if act.verb in ("open_leads", "my_leads"):
        mine = [lead["lead_id"] for lead in act.body["leads"]]
        assert [twin.ids.leads[lead] for lead in mine] == [lead["lead_id"] for lead in body["leads"]], act
        assert [lead["visits"] for lead in act.body["leads"]] == [lead["visits"] for lead in body["leads"]]
    if act.verb == "my_leads":
        due = [lead["due_in_s"] for lead in act.body["leads"]]
        assert [lead["due_in_s"] for lead in body["leads"]] == pytest.approx(due, abs=0.01)


def _by_intent(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {row["order_id"]: row for row in rows}


def _platform_orders(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {int(row["order_ref"].removeprefix("intent-")): row for row in rows}


def _same_order(mine: dict[str, Any], theirs: dict[str, Any], twin: Any) -> None:
    for name in ("state", "reason", *AMOUNTS, "paid_fen", "refunded_fen", "coupon_refused", "stars"):
        assert theirs[name] == mine[name], (name, mine, theirs)
    assert theirs["coupon_code"] == twin.ids.coupons.get(mine["coupon_code"])
    assert theirs["rider_id"] == twin.ids.riders.get(mine["rider_id"]), (mine, theirs)
    # The platform writes when it commits as `committed` once it prints; by then `paid` is the same instant here.
    for name, as_name in (*zip(MARKS, MARKS, strict=True), ("committed", "paid")):
        at = None if theirs[as_name] is None else theirs[as_name] - twin.epoch
        assert at == pytest.approx(mine[name], abs=0.01), (name, mine, theirs)


async def _same_books(lunch: Any, twin: Any, theirs: dict[int, Any]) -> None:
    number = {order["order_id"]: intent for intent, order in theirs.items()}
    merchant = {made: own for own, made in twin.ids.merchants.items()}

    def account(name: str) -> str:
        kind, colon, owner = name.partition(":")
        return f"{kind}:{merchant[int(owner)]}" if colon else kind

    posted = Counter(
        (number[row["order_id"]], account(row["account"]), row["amount_fen"])
        for row in await twin.world.export("ledger")
        if row["reason"] != "topped_up"  # before the run
    )
    assert posted == Counter((row["order_id"], row["account"], row["amount_fen"]) for row in lunch.rows("ledger"))
    states = {number[row["order_id"]]: (row["method"], row["state"]) for row in await twin.world.export("payments")}
    assert states == {row["order_id"]: (row["method"], row["state"]) for row in lunch.rows("payments")}


async def _same_goods(lunch: Any, twin: Any, theirs: dict[int, Any]) -> None:
    columns: tuple[str, ...] = ("initial", "reserved", "returned", "level", "min_level")
    stock = {row["dish_id"]: [row[name] for name in columns] for row in await twin.world.export("stock")}
    assert stock == {twin.ids.dishes[row["dish_id"]]: [row[name] for name in columns] for row in lunch.rows("stock")}
    columns = ("budget_fen", "committed_fen", "claimed", "redeemed", "returned", "redeemed_fen")
    coupons = {row["code"]: [row[name] for name in columns] for row in await twin.world.export("coupons")}
    assert coupons == {twin.ids.coupons[row["code"]]: [row[name] for name in columns] for row in lunch.rows("coupons")}
    number = {order["order_id"]: intent for intent, order in theirs.items()}
    fences = {(number[row["order_id"]], row["branch"]): row["state"] for row in await twin.world.export("reservations")}
    assert fences == {(row["order_id"], row["branch"]): row["state"] for row in lunch.rows("reservations")}
    columns = ("balance_fen", "held_fen", "topped_up_fen")
    wallets = {row["user_ref"]: [row[name] for name in columns] for row in await twin.world.export("wallets")}
    assert wallets == {f"user{row['user_id']}": [row[name] for name in columns] for row in lunch.rows("wallets")}
    vouchers = {
        number[row["order_id"]]: (row["state"], row["redemptions"]) for row in await twin.world.export("vouchers")
    }
    assert vouchers == {row["order_id"]: (row["state"], row["redemptions"]) for row in lunch.rows("vouchers")}


async def _same_leads(lunch: Any, twin: Any) -> None:
    def ref(number: int | None) -> str | None:
        return None if number is None else f"bd{number}"

    columns = ("stage", "claims", "drops", "visits")
    leads = {
        row["lead_id"]: [row["owner_ref"], *(row[name] for name in columns)] for row in await twin.world.export("leads")
    }
    assert leads == {
        twin.ids.leads[row["lead_id"]]: [ref(row["owner"]), *(row[name] for name in columns)]
        for row in lunch.rows("leads")
    }
    done = [
        (row["lead_id"], row["what"], row["actor_ref"], row["owned"])
        for row in await twin.world.export("lead_events")
        if row["what"] != "created"
    ]
    assert done == [
        (twin.ids.leads[row["lead_id"]], row["what"], ref(row["actor"]), row["owned"])
        for row in lunch.rows("lead_events")
        if row["what"] != "created"
    ]
