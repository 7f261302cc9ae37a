"""Lost, doubled, late and wrong callbacks through both worlds: one log, the same repairs and the same books (G11)."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from typing import Any

import msgspec
import pytest

from o2o_domain import rules
from o2o_domain.decisions import Decision
from o2o_platform.payments.deadline import close_unpaid
from o2o_platform.payments.signing import HEADER, sign
from o2o_results.audit import audit
from o2o_scenarios.schema import PaymentFaultsSpec, Scenario
from o2o_sim.city.build import build_city
from o2o_sim.demand.build import build_trace
from o2o_sim.platform_model.payment_faults import payment_faults

pytestmark = pytest.mark.anyio

SCENARIO: dict[str, Any] = {
    "name": "faults",
    "seed": 11,
    "clock": {"start_min": 660, "duration_s": 1200, "drain_s": 600},
    "city": {
        "nodes": 64,
        "extent_km": 1.5,
        "rivers": 0,
        "zones": 2,
        "merchants": {"count": 5, "dishes": 4, "stock_per_dish": 60},
        "users": {"count": 60},
        "riders": {"count": 1},
    },
    "demand": {"orders_per_hour": 500, "deals_per_hour": 80, "coupon_share": 0.0},
    "platform": {
        "commit": {"mean_ms": 0.0},  # a callback is taken at the instant at which it comes
        "payment": {
            "confirm_mean_s": 8,
            "callback_mean_s": 4,
            "deadline_s": 40,
            "refuse_share": 0.08,
            "reconcile_interval_s": 15,
            "reconcile_grace_s": 10,
            "faults": {"lost": 0.15, "doubled": 0.1, "late": 0.15, "late_mean_s": 40, "amount_wrong": 0.12},
        },
    },
}
END_S = 1800.0


def recorded() -> Any:
    """The shared module: tests are no package, so conftest has loaded it by its path."""
    return sys.modules["parity_parity_recorded"]


@pytest.fixture(scope="module")
def log() -> Any:
    scenario = Scenario.model_validate(SCENARIO)
    city = build_city(scenario)
    return recorded().record_script(scenario, city, build_trace(scenario, city), [(END_S, "rider_offline", (0,))])


def _broken(run: Any) -> list[Any]:
    """Promises that do not hold, but for those about tickets: nobody works in this city."""
    verdicts = audit(run.tables, run.scenario, horizon_s=END_S)
    return [verdict for verdict in verdicts if not verdict.ok and not verdict.name.startswith("tickets.")]


def test_the_models_log_holds_every_repair_and_passes_the_audit(log: Any) -> None:
    assert _broken(log) == []
    repairs = Counter(row["verdict"] for row in log.rows("reconciliations"))
    assert set(repairs) == {"take_payment", "refuse", "refund_late", "refund_difference"}
    assert all(count > 1 for count in repairs.values()), repairs
    times = [row["repaired"] - row["since"] for row in log.rows("reconciliations")]
    assert 10.0 <= min(times) <= max(times) <= 25.0  # the grace, and at most an interval more
    decided = [row for row in log.rows("decisions") if row["rule"] == "reconcile.reconcile"]
    assert len(decided) > sum(repairs.values())
    for row in decided:
        logged = Decision(row["rule"], row["input"], row["output"])
        assert rules.replay(logged) == logged


def test_without_faults_nobody_looks() -> None:
    payment = {**SCENARIO["platform"]["payment"], "faults": {}}
    scenario = Scenario.model_validate({**SCENARIO, "platform": {**SCENARIO["platform"], "payment": payment}})
    assert payment_faults(scenario, 1000) == {}
    city = build_city(scenario)
    run = recorded().record_script(scenario, city, build_trace(scenario, city), [(END_S, "rider_offline", (0,))])
    assert not [row for row in run.rows("decisions") if row["rule"] == "reconcile.reconcile"]
    assert _broken(run) == []


def test_shares_beyond_all_are_refused() -> None:
    with pytest.raises(ValueError, match="must not exceed 1"):
        PaymentFaultsSpec(lost=0.6, late=0.5)


class Bank:
    """What the modelled provider did, done to the platform: charges without a word, and each callback at its time."""

    def __init__(self, twin: Any) -> None:
        self._twin = twin
        self._world = twin.world

    async def confirm(self, number: int, payment: dict[str, Any]) -> None:
        how = {"silent": True, "outcome": "ok" if payment["provider_state"] == "paid" else "refused"}
        if payment["provider_fen"]:
            how["taken_fen"] = payment["provider_fen"]
        answer = await self._world.pay_client.post(self._twin.orders[number]["payment"]["pay_url"], json=how)
        assert answer.status_code == 202

    async def call_back(self, number: int, payment: dict[str, Any]) -> str:
        body = msgspec.json.encode(
            {
                "payment_id": self._twin.orders[number]["payment"]["payment_id"],
                "outcome": "ok" if payment["provider_state"] == "paid" else "refused",
                "amount_fen": payment["provider_fen"] or payment["amount_fen"],
                "confirmed": self._twin.epoch + payment["confirmed"],
            }
        )
        secret = self._world.app.state.ctx.settings.provider_secret
        answer = await self._world.client.post("/payments/callback", content=body, headers={HEADER: sign(secret, body)})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["result"])


async def test_the_platform_repairs_what_the_model_repaired(
    log: Any, platform_for: Any, platform_world: Any, replay: Any, anyio_backend: str
) -> None:
    settings = platform_for(log.scenario)
    assert settings.reconcile_grace_s == log.scenario.platform.payment.reconcile_grace_s
    faults = payment_faults(log.scenario, len(log.trace))
    acts: list[tuple[float, int, str, int]] = []
    orders = {order["order_id"]: order for order in log.rows("orders") if order["accepted"] is not None}
    payments = {payment["order_id"]: payment for payment in log.rows("payments")}
    repaired = {row["order_id"]: row["found"] for row in log.rows("reconciliations")}
    for number, order in orders.items():
        payment = payments[number]
        acts.append((order["accepted"], 0, "place", number))
        if order["reason"] == "unpaid":
            acts.append((order["closed"], 1, "unpaid", number))
        if payment["confirmed"] is None:
            continue
        acts.append((payment["confirmed"], 2, "confirm", number))
        if payment["callback"] is not None and payment["callback"] != repaired.get(number):
            acts.append((payment["callback"], 3, "callback", number))
            if number in faults and faults[number].kind == "doubled":
                acts.append((payment["callback"], 4, "callback", number))
    every_s = log.scenario.platform.payment.reconcile_interval_s
    acts += [(every_s * n, 5, "reconcile", -1) for n in range(1, int(END_S / every_s) + 1)]
    async with replay(_without_acts(log)) as (twin, _):
        bank, clock = Bank(twin), twin.world.clock
        for at, _, verb, number in sorted(acts):
            clock.advance(max(twin.epoch + at + (1e-4 if verb in ("unpaid", "reconcile") else 0.0) - clock.now(), 0.0))
            if verb == "place":
                assert (await twin._place(number)).status_code == 201
            elif verb == "unpaid":
                await close_unpaid(twin.world.app.state.ctx)
            elif verb == "reconcile":
                assert (await twin.world.admin.post("/admin/payments/reconcile")).status_code == 200
            else:
                await (bank.confirm if verb == "confirm" else bank.call_back)(number, payments[number])
        await _same_payments(log, twin, orders, payments)
        for number, fault in faults.items():  # what was told too late, or never, changes nothing any more
            if number in payments and payments[number]["confirmed"] is not None and fault.kind in ("late", "lost"):
                assert await bank.call_back(number, payments[number]) == "ignored"


def _without_acts(log: Any) -> Any:
    return dataclasses.replace(log, acts=[])


async def _same_payments(log: Any, twin: Any, orders: dict[int, Any], payments: dict[int, Any]) -> None:
    number = {placed["order_id"]: intent for intent, placed in twin.orders.items()}
    theirs = {number[row["order_id"]]: row for row in await twin.world.export("orders")}
    assert theirs.keys() == orders.keys()
    for intent, row in theirs.items():
        mine = orders[intent]
        for name in ("state", "reason", "total_fen", "paid_fen", "refunded_fen"):
            assert row[name] == mine[name], (intent, name, mine, row)
    told = {number[row["order_id"]]: row for row in await twin.world.export("payments")}
    for intent, row in told.items():
        mine = payments[intent]
        for name in ("state", "taken_fen", "refund_fen"):
            assert row[name] == mine[name], (intent, name, mine, row)
        assert (row["disputed"] is None) == (mine["disputed"] is None)
    repairs = Counter(
        (number[row["order_id"]], row["verdict"], row["reason"], row["fen"], round(row["found"] - twin.epoch))
        for row in await twin.world.export("reconciliations")
        if row["verdict"] not in ("ask_refund_again", "note_refund")  # the model's provider gives back at once
    )
    assert repairs == Counter(
        (row["order_id"], row["verdict"], row["reason"], row["fen"], round(row["found"]))
        for row in log.rows("reconciliations")
    )
    sums: Counter[tuple[int, str]] = Counter()
    for row in await twin.world.export("ledger"):
        sums[number[row["order_id"]], row["account"].partition(":")[0]] += row["amount_fen"]
    mine_sums: Counter[tuple[int, str]] = Counter()
    for row in log.rows("ledger"):
        mine_sums[row["order_id"], row["account"].partition(":")[0]] += row["amount_fen"]
    assert dict(sums) == dict(mine_sums)
