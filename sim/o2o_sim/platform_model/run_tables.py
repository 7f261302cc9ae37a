"""Run tables: the modelled platform's records as Arrow tables of o2o_results.tables.

Decides how records become columns, in bulk. Nothing is computed here but what the paper says: receipts are parsed back
by the domain from the printed lines, not copied from the orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from o2o_domain.notification import Age
from o2o_domain.orders import settled
from o2o_domain.ticket_layout import parse
from o2o_results.tables import TABLES
from o2o_sim.notification.hand_desk import HandDesk
from o2o_sim.notification.notes import notification_table
from o2o_sim.platform_model.model import PlatformModel
from o2o_sim.platform_model.print_desk import PrintDesk
from o2o_sim.platform_model.records import Order

NOT_SENT = "not_sent"
"""State of an intent whose time did not come before the run was interrupted."""
LOST = "lost"
"""State of an intent that was sent and not answered before the run's end."""
ORDER_FIELDS = (
    *("order_id", "kind", "user_id", "segment", "merchant_id", "rider_id", "reason", "paid_fen", "refunded_fen"),
    *("coupon_code", "coupon_refused", "intended", "sent", "accepted", "paid", "committed", "published", "cooking"),
    *("ready", "picked_up", "delivered", "assigned", "closed", "drop_lat", "drop_lng", "stars"),
)
"""Columns of `orders` that are fields of the record."""
TICKET_MARKS = ("claimed", "rendered", "delivered_to_printer", "printed")
QUOTE_FIELDS = ("items_fen", "discount_fen", "delivery_fee_fen", "total_fen")


def platform_tables(model: PlatformModel) -> dict[str, pa.Table]:
    """Every table that the platform, its printers and its payment provider know of."""
    return {
        "orders": _orders(model),
        "requests": _requests(model),
        "tickets": _tickets(model),
        "receipts": _receipts(model),
        "printer_faults": _printer_faults(model),
        "notifications": _notifications(model),
        "payments": _payments(model),
        "ledger": _ledger(model),
        "refunds": _refunds(model),
        "reconciliations": _reconciliations(model),
        "stock": pa.Table.from_pylist(model.stock.rows(), schema=TABLES["stock"]),
        "coupons": pa.Table.from_pylist(model.coupons.rows(), schema=TABLES["coupons"]),
        "vouchers": _vouchers(model),
        "reservations": _reservations(model),
        "wallets": pa.Table.from_pylist(model.orders.wallets.rows(), schema=TABLES["wallets"]),
        "breakers": _breakers(model),
        "decisions": _decisions(model),
        **{name: table for name, table in model.leads.tables().items() if name != "visits"},
    }


def _state(order: Order) -> str:
    if order.state is not None:
        return str(order.state)
    return NOT_SENT if order.sent is None else LOST


def _orders(model: PlatformModel) -> pa.Table:
    records = model.records
    desk = model.desk
    promise_s = desk.tempo.run_s(desk.scenario.slo.promise_min * 60.0)
    taken = [order.accepted is not None for order in records]
    columns: dict[str, Any] = {name: [getattr(order, name) for order in records] for name in ORDER_FIELDS}
    columns |= {name: [getattr(order.quote, name) for order in records] for name in QUOTE_FIELDS}
    columns |= {name: [getattr(order.ticket, name, None) for order in records] for name in TICKET_MARKS}
    columns["order_no"] = [order.order_no if held else None for order, held in zip(records, taken, strict=True)]
    columns["state"] = [_state(order) for order in records]
    columns["terminal"] = [order.state is not None and settled(order.kind, order.state) for order in records]
    columns["promised"] = [order.intended + promise_s if order.kind == "order" else None for order in records]
    lines = [order.lines for order in records]
    flat = list(chain.from_iterable(lines))
    item = TABLES["orders"].field("items").type.value_type
    columns["items"] = _lists(
        [len(some) for some in lines],
        item,
        {name: [getattr(line, name) for line in flat] for name in ("dish_id", "name", "qty", "unit_fen")},
    )
    return _table("orders", columns)


def _requests(model: PlatformModel) -> pa.Table:
    rows = model.desk.requests
    order_id, actor, name, sent, ended, status, error = _columns(rows, 7)
    return _table(
        "requests",
        {
            "request_id": range(len(rows)),
            "order_id": order_id,
            "actor": actor,
            "name": name,
            "intended": sent,
            "sent": sent,
            "ended": ended,
            "status": status,
            "ok": [200 <= code < 300 for code in status],
            "error": error,
        },
    )


def _tickets(model: PlatformModel) -> pa.Table:
    records = model.printing.tickets
    columns: dict[str, Any] = {
        name: [getattr(ticket, name) for ticket in records] for name in ("code", "attempts", "queued", *TICKET_MARKS)
    }
    columns["ticket_id"] = range(len(records))
    columns["order_id"] = [ticket.order.order_id for ticket in records]
    columns["merchant_id"] = columns["printer_id"] = [ticket.order.merchant_id for ticket in records]
    columns["copy_no"] = [1] * len(records)
    columns["state"] = [str(ticket.state) for ticket in records]
    columns["escalation"] = [None if ticket.escalation is None else str(ticket.escalation) for ticket in records]
    return _table("tickets", columns)


def _receipts(model: PlatformModel) -> pa.Table:
    papers = model.printing.receipts
    parsed = [parse(paper.text_lines) for paper in papers]
    flat = list(chain.from_iterable(ticket.lines for ticket in parsed))
    line = TABLES["receipts"].field("lines").type.value_type
    names, quantities = _columns(flat, 2)
    return _table(
        "receipts",
        {
            "receipt_id": range(len(papers)),
            "printer_id": [paper.printer_id for paper in papers],
            "printed": [paper.printed for paper in papers],
            "order_no": [ticket.order_no for ticket in parsed],
            "copy_no": [ticket.copy_no for ticket in parsed],
            "complete": [ticket.complete for ticket in parsed],
            "lines": _lists([len(ticket.lines) for ticket in parsed], line, {"name": names, "qty": quantities}),
            "total_fen": [ticket.total_fen for ticket in parsed],
            "length_mm": [paper.length_mm for paper in papers],
            "text": ["\n".join(paper.text_lines) for paper in papers],
        },
    )


def _notifications(model: PlatformModel) -> pa.Table:
    age = Age(model.desk.scenario.printing.age)
    return notification_table(age, model.printing.notes if isinstance(model.printing, HandDesk) else ())


def _printer_faults(model: PlatformModel) -> pa.Table:
    met = model.printing.faults_met if isinstance(model.printing, PrintDesk) else []
    return _table(
        "printer_faults",
        {
            "printer_id": [one.order.merchant_id for one in met],
            "at": [one.at for one in met],
            "kind": [one.kind for one in met],
            "order_no": [one.order.order_no for one in met],
            "copy_no": [1] * len(met),
            "until": [one.until for one in met],
            "answered": [one.answered for one in met],
        },
    )


def _payments(model: PlatformModel) -> pa.Table:
    records = model.books.payments
    same: tuple[str, ...] = ("amount_fen", "requested", "confirmed", "callback", "provider_state", "provider_fen")
    same += ("disputed", "taken_fen", "refund_fen")
    columns: dict[str, Any] = {name: [getattr(payment, name) for payment in records] for name in same}
    columns["provider_refunded_fen"] = [payment.provider_refunded_fen for payment in records]
    columns["method"] = ["balance" if payment.by_balance else "provider" for payment in records]
    columns["payment_id"] = range(len(records))
    columns["order_id"] = [payment.order.order_id for payment in records]
    columns["state"] = [str(payment.state) for payment in records]
    return _table("payments", columns)


def _refunds(model: PlatformModel) -> pa.Table:
    payments, fen, reason, at = _columns(model.books.refunds, 4)
    number = {id(payment): place for place, payment in enumerate(model.books.payments)}
    return _table(
        "refunds",
        {
            "refund_id": range(len(payments)),
            "payment_id": [number[id(payment)] for payment in payments],
            "order_id": [payment.order.order_id for payment in payments],
            "fen": fen,
            "reason": reason,
            "wanted": at,
            "done": at,
        },
    )


def _reconciliations(model: PlatformModel) -> pa.Table:
    rows = model.orders.reconciliation.found
    number = {id(payment): place for place, payment in enumerate(model.books.payments)}
    return _table(
        "reconciliations",
        {
            "reconciliation_id": range(len(rows)),
            "payment_id": [number[id(row.payment)] for row in rows],
            "order_id": [row.payment.order.order_id for row in rows],
            "verdict": [str(row.verdict.repair) for row in rows],
            "reason": [row.verdict.reason for row in rows],
            "fen": [row.verdict.fen for row in rows],
            "since": [row.since for row in rows],
            "found": [row.found for row in rows],
            "repaired": [row.found for row in rows],
        },
    )


def _ledger(model: PlatformModel) -> pa.Table:
    txn_id, order_id, at, reason, account, amount_fen = _columns(model.books.entries, 6)
    return _table(
        "ledger",
        {
            "entry_id": range(len(txn_id)),
            "txn_id": txn_id,
            "order_id": order_id,
            "at": at,
            "reason": reason,
            "account": account,
            "amount_fen": amount_fen,
        },
    )


def _vouchers(model: PlatformModel) -> pa.Table:
    records = list(model.vouchers.vouchers.values())
    columns: dict[str, Any] = {
        name: [getattr(voucher, name) for voucher in records] for name in ("issued", "redeemed", "redemptions")
    }
    columns["voucher_id"] = range(len(records))
    columns["order_id"] = [voucher.order.order_id for voucher in records]
    columns["deal_id"] = [voucher.order.deal_id for voucher in records]
    columns["state"] = [str(voucher.state) for voucher in records]
    return _table("vouchers", columns)


def _breakers(model: PlatformModel) -> pa.Table:
    rows = model.helpers.changes if model.helpers is not None else []
    helper, at, from_state, to_state, reason = _columns(rows, 5)
    return _table(
        "breakers",
        {
            "process": ["model"] * len(rows),
            "helper": helper,
            "at": at,
            "from_state": from_state,
            "to_state": to_state,
            "reason": reason,
        },
    )


def _reservations(model: PlatformModel) -> pa.Table:
    order_id, branch, state = _columns(model.orders.fences.rows(), 3)
    return _table("reservations", {"order_id": order_id, "branch": branch, "state": state})


def _decisions(model: PlatformModel) -> pa.Table:
    rows = model.desk.decisions.rows if model.desk.decisions is not None else []
    at, rule, facts, output = _columns(rows, 4)
    return _table("decisions", {"seq": range(len(rows)), "at": at, "rule": rule, "input": facts, "output": output})


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> Iterable[Sequence[Any]]:
    """The columns of rows; `width` empty ones when there are no rows."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _lists(lengths: list[int], item: pa.DataType, fields: dict[str, Sequence[Any]]) -> pa.Array:
    """A column of lists of structs, from the lists' lengths and the structs' fields laid end to end."""
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int32)
    arrays = [pa.array(fields[field.name], field.type) for field in item]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(arrays, fields=list(item)))


def _table(name: str, columns: dict[str, Any]) -> pa.Table:
    schema = TABLES[name]
    arrays = []
    for field in schema:
        column = columns[field.name]
        arrays.append(column.cast(field.type) if isinstance(column, pa.Array) else pa.array(column, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
