"""Run tables of a small invented city, made by hand for tests: plausible to look at, and every promise holds.

Not a simulation: times are drawn, queues are kept only where the audit would notice (riders, printers, kitchens).
"""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from o2o_domain import ledger as books
from o2o_domain.pricing import Quote
from o2o_results.audit import audit
from o2o_results.manifest import Manifest
from o2o_results.run import RunReader, RunWriter, as_table
from o2o_results.tables import TABLES
from o2o_scenarios.schema import Scenario

DAY = 86_400.0
DISHES = ("宫保鸡丁", "鱼香肉丝", "麻婆豆腐", "牛肉面", "小笼包", "蛋炒饭", "酸辣汤", "凉拌黄瓜")
STAGES = {  # mean seconds and sigma of the log-normal stages after `intended`
    "sent": (0.0008, 0.5),
    "accepted": (0.012, 0.5),
    "paid": (0.35, 0.7),
    "committed": (0.008, 0.5),
    "published": (0.003, 0.4),
    "claimed": (0.006, 0.9),
    "rendered": (0.003, 0.3),
    "delivered_to_printer": (0.01, 0.6),
}
MERCHANT_FIELDS = ("merchant_id", "name", "lat", "lng", "node", "slots", "orders", "busy_s", "max_queue")


def scenario(**changes: Any) -> Scenario:
    """The scenario that the fake tables pretend to come from."""
    base: dict[str, Any] = {
        "name": "lunch_peak",
        "title": "Lunch peak in a small city",
        "story": "Two hours around noon; the question is whether every ticket is on paper within ten seconds.",
        "coupons": [
            {"code": "LUNCH5", "threshold_fen": 2000, "off_fen": 500, "budget_fen": 100_000_000, "per_user": 9999}
        ],
    }
    return Scenario.model_validate(base | changes)


def roads(rng: np.random.Generator, side: int = 34) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray]:
    """A jittered grid with a river crossed by few bridges: rows for `roads`, and nodes' lat and lng."""
    y, x = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    step = 0.0024
    river = side * 0.55 + 2.2 * np.sin(np.arange(side) / 5.0)
    lat = 31.20 + (y + rng.normal(0, 0.13, y.shape) + (y > river[None, :]) * 1.1) * step
    lng = 121.42 + (x + rng.normal(0, 0.13, x.shape)) * step * 1.17
    rows = []
    for i in range(side):
        for j in range(side):
            for di, dj in ((0, 1), (1, 0)):
                k, m = i + di, j + dj
                if k >= side or m >= side:
                    continue
                crosses = (y[i, j] > river[j]) != (y[k, m] > river[m])
                main = (di == 0 and i % 6 == 0) or (dj == 0 and j % 6 == 0)
                if (crosses and j % 6) or (not main and rng.random() < 0.06):
                    continue
                rows.append(
                    {
                        "lat1": lat[i, j],
                        "lng1": lng[i, j],
                        "lat2": lat[k, m],
                        "lng2": lng[k, m],
                        "rank": 1 if main else 4,
                    }
                )
    return rows, lat.ravel(), lng.ravel()


def fake_tables(
    n: int = 400, *, seed: int = 7, slow: float = 1.0, merchants: int = 40, deals: int = 12, speed: float = 1.0
) -> dict[str, pa.Table]:
    """Tables of `n` intents over two hours. `slow` stretches the platform's stages; speed as in ClockSpec."""
    rng = np.random.default_rng(seed)
    road_rows, lat, lng = roads(rng)
    centre = np.exp(-(((lat - lat.mean()) / 0.02) ** 2 + ((lng - lng.mean()) / 0.025) ** 2))
    shop_nodes = rng.choice(len(lat), merchants, replace=False, p=(centre + 0.05) / (centre + 0.05).sum())
    duration = 7200.0 / speed
    peaks = np.concatenate([rng.normal(0.42, 0.16, n * 2), rng.normal(0.62, 0.1, n), rng.random(n)])
    peaks = peaks[(peaks > 0) & (peaks < 1)]
    intended = np.sort(rng.permutation(peaks)[:n] * duration)
    shops = []
    for m, node in enumerate(shop_nodes):
        values = (
            m,
            f"店{m:03d}",
            float(lat[node]),
            float(lng[node]),
            int(node),
            2 + int(n / 55 / (m + 2) ** 0.5),
            0,
            0.0,
            0,
        )
        shops.append(dict(zip(MERCHANT_FIELDS, values, strict=True)))
    popularity = 1 / np.arange(1, merchants + 1) ** 0.5
    popularity /= popularity.sum()
    riders = max(4, n // 7)
    free = [(0.0, r) for r in range(riders)]
    heapq.heapify(free)
    driving, service, carried, metres = (np.zeros(riders) for _ in range(4))
    kitchens = [[0.0] * int(shop["slots"]) for shop in shops]
    printers = [0.0] * merchants
    orders: list[dict[str, Any]] = []
    tickets, receipts, payments, entries, vouchers, requests = [], [], [], [], [], []
    refunds, due = [], dict.fromkeys(range(merchants), 0)
    reserved: dict[int, int] = {}
    returned: dict[int, int] = {}
    coupon = {"claimed": 0, "redeemed": 0, "returned": 0, "redeemed_fen": 0}
    for i in range(n):
        m = int(rng.choice(merchants, p=popularity))
        deal = i < deals
        state = str(rng.choice(["payment_failed", "refused", "rejected", "ok"], p=[0.008, 0.006, 0.008, 0.978]))
        picks = rng.choice(len(DISHES), rng.integers(1, 4), replace=False)
        items = [
            {
                "dish_id": m * 100 + int(k),
                "name": DISHES[k],
                "qty": int(rng.integers(1, 3)),
                "unit_fen": 1200 + 130 * int(k),
            }
            for k in picks
        ]
        items_fen = sum(item["qty"] * item["unit_fen"] for item in items)
        discount = 500 if not deal and items_fen >= 2000 and rng.random() < 0.3 else 0
        fee = 0 if deal else 300
        node = int(rng.choice(len(lat), p=centre / centre.sum()))
        row: dict[str, Any] = dict.fromkeys(TABLES["orders"].names)
        row.update(
            order_id=i, kind="deal" if deal else "order", order_no=f"T{i:06d}", user_id=int(rng.integers(0, 900)),
            segment=str(rng.choice(["work_meal", "family", "social"])), merchant_id=m, items=[] if deal else items,
            items_fen=items_fen, discount_fen=discount, delivery_fee_fen=fee, total_fen=items_fen - discount + fee,
            paid_fen=0, refunded_fen=0, coupon_code="LUNCH5" if discount else None, intended=float(intended[i]),
            drop_lat=float(lat[node]), drop_lng=float(lng[node]), stars=0, terminal=True,
        )  # fmt: skip
        orders.append(row)
        at = float(intended[i])
        for mark, (mean, sigma) in STAGES.items():
            load = 1.0 + 1.5 * np.exp(-(((intended[i] / duration - 0.55) / 0.12) ** 2))
            at += (
                mean * slow * (load if mark in ("accepted", "committed", "claimed") else 1.0) * rng.lognormal(0, sigma)
            )
            row[mark] = at
        ok = state != "refused"
        requests.append(
            {
                "request_id": i, "order_id": i, "actor": "user", "name": "POST /orders", "intended": row["intended"],
                "sent": row["sent"], "ended": row["accepted"], "status": 201 if ok else 409, "ok": ok, "error": None,
            }
        )  # fmt: skip
        if not deal and ok:
            for item in items:
                reserved[item["dish_id"]] = reserved.get(item["dish_id"], 0) + item["qty"]
        unpaid = ("paid", "committed", "published", "claimed", "rendered", "delivered_to_printer")
        if not ok:
            row.update(dict.fromkeys(unpaid), state="refused", reason="sold_out", order_no=None, coupon_code=None)
            row.update(discount_fen=0, total_fen=items_fen + fee, closed=row["accepted"])
            continue
        coupon["claimed"] += bool(discount)
        payment = {
            "payment_id": i, "order_id": i, "amount_fen": row["total_fen"], "requested": row["accepted"],
            "confirmed": None, "callback": row["paid"], "provider_fen": 0, "provider_refunded_fen": 0,
            "method": "provider", "taken_fen": None, "refund_fen": None, "disputed": None,
        }  # fmt: skip
        payments.append(payment)
        if state == "payment_failed":
            payment.update(state="refused", provider_state="refused")
            row.update(dict.fromkeys(unpaid), state=state, reason="card", closed=payment["callback"])
            coupon["returned"] += bool(discount)
            for item in () if deal else items:
                returned[item["dish_id"]] = returned.get(item["dish_id"], 0) + item["qty"]
            continue
        payment.update(state="paid", provider_state="paid", provider_fen=row["total_fen"])
        row["paid_fen"] = row["total_fen"]
        quote = Quote(items_fen, discount, fee, row["total_fen"])
        booked = books.paid(quote, merchant_id=m, commission_share=0.1)
        entries += [[i * 2, i, row["paid"], "paid", p.account, p.amount_fen] for p in booked]
        if deal:
            row.update(dict.fromkeys(unpaid[2:]), state="redeemed" if i % 2 else "issued")
            mark = at + 600.0 if i % 2 else None
            if mark is not None:
                booked = books.settled(quote, merchant_id=m, commission_share=0.1)
                entries += [[i * 2 + 1, i, mark, "settled", p.account, p.amount_fen] for p in booked]
                due[m] += booked[0].amount_fen
            vouchers.append(
                {
                    "voucher_id": i, "order_id": i, "deal_id": m * 10, "state": row["state"], "issued": row["paid"],
                    "redeemed": mark, "redemptions": i % 2,
                }
            )  # fmt: skip
            row["closed"] = mark
            continue
        printed = max(at, printers[m]) + 0.9 + 0.12 * len(items) + (30 * rng.random() if rng.random() < 0.01 else 0)
        printers[m] = printed
        row["printed"] = printed
        tickets.append(
            {
                "ticket_id": i, "order_id": i, "merchant_id": m, "printer_id": m, "copy_no": 1, "state": "printed",
                "code": None, "attempts": 1, "queued": row["committed"], "escalation": None,
                **{mark: row[mark] for mark in ("claimed", "rendered", "delivered_to_printer", "printed")},
            }
        )  # fmt: skip
        receipts.append(
            {
                "receipt_id": i, "printer_id": m, "printed": printed, "order_no": row["order_no"], "copy_no": 1,
                "complete": True, "lines": [{"name": x["name"], "qty": x["qty"]} for x in reversed(items)],
                "total_fen": row["total_fen"], "length_mm": 90.0, "text": "\n".join(x["name"] for x in items),
            }
        )  # fmt: skip
        if state == "rejected":
            row.update(state="rejected", reason="too_busy", refunded_fen=row["total_fen"], closed=printed + 20 / speed)
            payment.update(state="refunded", provider_refunded_fen=row["total_fen"])
            booked = books.refunded(quote, merchant_id=m, commission_share=0.1)
            entries += [[i * 2 + 1, i, row["closed"], "refunded", p.account, p.amount_fen] for p in booked]
            refunds.append(
                {
                    "refund_id": i, "payment_id": i, "order_id": i, "fen": row["total_fen"], "reason": "refunded",
                    "wanted": row["closed"], "done": row["closed"] + 0.2,
                }
            )  # fmt: skip
            coupon["returned"] += bool(discount)
            for item in items:
                returned[item["dish_id"]] = returned.get(item["dish_id"], 0) + item["qty"]
            continue
        coupon["redeemed"] += bool(discount)
        coupon["redeemed_fen"] += discount
        row["cooking"] = printed + 15 / speed
        slot = int(np.argmin(kitchens[m]))
        prep = 480 * rng.lognormal(0, 0.35) / speed
        row["ready"] = kitchens[m][slot] = max(row["cooking"], kitchens[m][slot]) + prep
        shops[m]["orders"] += 1
        shops[m]["busy_s"] += prep
        since, r = heapq.heappop(free)
        row["assigned"] = max(row["cooking"], since)
        away = float(np.hypot(row["drop_lat"] - shops[m]["lat"], row["drop_lng"] - shops[m]["lng"]) * 111_000)
        to_shop, to_user = rng.gamma(3, 60) / speed, (away * 1.35 / 6.4 + 20) / speed
        row["picked_up"] = max(row["ready"], row["assigned"] + to_shop) + 60 / speed
        row["delivered"] = row["closed"] = row["picked_up"] + to_user + 80 / speed
        booked = books.settled(quote, merchant_id=m, commission_share=0.1)
        entries += [[i * 2 + 1, i, row["delivered"], "settled", p.account, p.amount_fen] for p in booked]
        due[m] += booked[0].amount_fen
        row.update(rider_id=r, state="delivered", stars=int(rng.choice([0, 0, 0, 4, 5])))
        heapq.heappush(free, (row["delivered"], r))
        driving[r] += to_shop + to_user
        service[r] += 140 / speed
        carried[r] += 1
        metres[r] += away * 1.35
    end = max(row["closed"] or 0.0 for row in orders) + 1
    rider_rows = [
        {
            "rider_id": r, "vehicle": "motorcycle" if r % 3 else "bicycle", "on": 0.0, "off": end,
            "orders": int(carried[r]), "driving_s": driving[r], "service_s": service[r], "distance_m": metres[r],
        }
        for r in range(riders)
    ]  # fmt: skip
    stock = [
        {
            "dish_id": dish, "merchant_id": dish // 100, "initial": 5000, "reserved": reserved[dish],
            "returned": returned.get(dish, 0), "level": 5000 - reserved[dish] + returned.get(dish, 0),
            "min_level": 5000 - reserved[dish],
        }
        for dish in sorted(reserved)
    ]  # fmt: skip
    payouts = []
    for m in range(0, merchants, 2):  # half of them are paid out what is theirs
        if due[m]:
            payouts.append({"payout_id": m, "merchant_id": m, "at": end, "amount_fen": due[m]})
            booked = books.paid_out(m, due[m])
            entries += [[2 * n + m, None, end, "paid_out", p.account, p.amount_fen] for p in booked]
    repairs = [
        {
            "reconciliation_id": 0, "payment_id": payments[0]["payment_id"], "order_id": payments[0]["order_id"],
            "verdict": "take_payment", "reason": "callback_lost", "fen": payments[0]["amount_fen"],
            "since": payments[0]["requested"], "found": payments[0]["requested"] + 9, "repaired": end,
        }
    ]  # fmt: skip
    wallets = [_pay_from_wallet(next(row for row in orders if row["state"] == "delivered"), payments, entries)]
    ledger = [dict(zip(TABLES["ledger"].names, [k, *entry], strict=True)) for k, entry in enumerate(entries)]
    budget = [{"code": "LUNCH5", "budget_fen": 100_000_000, "committed_fen": coupon["redeemed_fen"], **coupon}]
    moments = np.arange(0.0, end, max(end / 120, 1.0))
    made = {
        "orders": orders, "requests": requests, "tickets": tickets, "receipts": receipts, "payments": payments,
        "ledger": ledger, "refunds": refunds, "reconciliations": repairs, "payouts": payouts,
        "stock": stock, "reservations": fences(orders, payments), "wallets": wallets,
        "coupons": budget, "vouchers": vouchers, "merchants": shops,
        "riders": rider_rows, "roads": road_rows,
        "samples": [
            {"at": float(t), "metric": metric, "value": float(base * (1 + np.sin(t / end * 6)) + rng.random())}
            for metric, base in (("platform_in_flight", 3.0), ("print_queue", 1.5), ("orders_waiting_for_rider", 9.0))
            for t in moments
        ],
    }  # fmt: skip
    return {name: as_table(name, rows) for name, rows in made.items()}


def _pay_from_wallet(order: dict[str, Any], payments: list[Any], entries: list[Any]) -> dict[str, Any]:
    """Have this order be paid from its user's wallet; the wallet."""
    payment = next(row for row in payments if row["order_id"] == order["order_id"])
    payment.update(method="balance", provider_state=None, provider_fen=None, provider_refunded_fen=None)
    for entry in entries:
        if entry[1] == order["order_id"] and entry[4] == books.PROVIDER_CLEARING:
            entry[4] = books.USER_BALANCES
    left = 20_000 - order["total_fen"]
    return {"user_id": order["user_id"], "balance_fen": left, "held_fen": 0, "topped_up_fen": 20_000}


def fences(orders: list[Any], payments: list[Any]) -> list[dict[str, Any]]:
    """What each branch of the orders must have done."""
    by_balance = {row["order_id"] for row in payments if row["method"] == "balance"}
    rows = []
    for order in orders:
        if order["state"] == "refused":
            continue
        wallet = order["order_id"] in by_balance
        used = {"stock": order["kind"] == "order", "coupon": order["coupon_code"], "balance": wallet}
        state = "confirmed" if order["paid"] is not None else "cancelled"
        rows += [{"order_id": order["order_id"], "branch": name, "state": state} for name, yes in used.items() if yes]
    return rows


def fake_pools() -> dict[str, pa.Table]:
    """Ninety days of three BDs and five leads: signed, dropped unvisited, assigned, extended, never touched."""
    told = [
        (0, 0.0, "created", None, None, 0), (1, 0.0, "created", None, None, 0), (2, 0.0, "created", None, None, 0),
        (3, 0.0, "created", None, None, 0), (4, 0.0, "created", None, None, 0),
        (0, 1.0, "claimed", 0, 0, 1), (1, 1.0, "claimed", 0, 0, 2), (2, 2.0, "claimed", 1, 1, 1),
        (0, 3.0, "visited", 0, 0, 2), (0, 3.0, "signed", 0, 0, 1), (2, 10.0, "assigned", None, 2, 1),
        (1, 16.0, "dropped", None, None, 0), (2, 17.0, "dropped", None, None, 0),
        (3, 60.0, "claimed", 1, 1, 1), (3, 62.0, "visited", 1, 1, 1), (3, 64.0, "extended", 1, 1, 1),
        (3, 76.5, "visited", 1, 1, 1), (1, 80.0, "claimed", 2, 2, 1),
    ]  # fmt: skip
    reasons = {(1, "dropped"): "no_visit", (2, "dropped"): "no_visit"}
    events = [
        {
            "event_id": k, "lead_id": lead, "at": day * DAY, "what": what, "actor": actor, "owner": owner,
            "owned": owned, "reason": reasons.get((lead, what)),
        }
        for k, (lead, day, what, actor, owner, owned) in enumerate(told)
    ]  # fmt: skip
    visits = [
        {
            "visit_id": k,
            "lead_id": e["lead_id"],
            "bd_id": e["actor"],
            "at": e["at"],
            "travel_s": 600.0,
            "signed": k == 0,
        }
        for k, e in enumerate(x for x in events if x["what"] == "visited")
    ]
    leads = []
    for lead in range(5):
        mine = [e for e in events if e["lead_id"] == lead]
        what = [e["what"] for e in mine]
        stage = "signed" if "signed" in what else "visited" if "visited" in what else "new"
        owner = {1: 2, 3: 1}.get(lead)
        leads.append(
            {
                "lead_id": lead, "source": "public", "stage": stage, "owner": owner, "claims": what.count("claimed"),
                "drops": what.count("dropped"), "visits": what.count("visited"), "created": 0.0,
                "signed": 3.0 * DAY if stage == "signed" else None, "private_s": 15.0 * DAY, "idle_s": 8.0 * DAY,
            }
        )  # fmt: skip
    made = {"leads": leads, "lead_events": events, "visits": visits}
    return {name: as_table(name, rows) for name, rows in made.items()}


def write_run(folder: Path, tables: dict[str, pa.Table], *, world: str = "model", **changes: Any) -> RunReader:
    """A finished run folder of these tables, audited."""
    plan = scenario(**changes)
    horizon = 90 * DAY if plan.kind == "pools" else 14_400.0
    manifest = Manifest.begin(
        plan, "live" if world == "live" else "model", horizon_s=horizon,
        argv=["o2o", "simulate" if world == "model" else "load", plan.name, "--seed", "7"],
    )  # fmt: skip
    with RunWriter(folder, manifest) as writer:
        writer.write_all(tables)
        if "orders" in tables:
            writer.note(intents=tables["orders"].num_rows)
        writer.finish(audit(writer))
    return RunReader(folder)
