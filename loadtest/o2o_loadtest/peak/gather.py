"""From four sides to the run tables of a peak: the users' answers, the platform, the payment provider, the paper.

Decides how keys and unix times become orders by number and run seconds; corrects nothing, so that the audit sees where
two sides disagree. Ids of merchants and dishes stay the platform's: a peak has no scenario that numbers them otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow as pa

from o2o_loadtest.errors import TargetError
from o2o_loadtest.setup import AdminClient
from o2o_results.tables import LIFE_MARKS, MARKS, TABLES

Row = dict[str, Any]
STATEMENT_S = 120.0


@dataclass
class Sides:
    """What each side says, as rows. Times are those of the side: users' in run seconds, all others unix."""

    epoch: float
    """Unix time of run second 0."""
    users: list[Row]
    """One a user: n, key, user_id, merchant_id, intended, sent, outcome, answer, paid."""
    requests: list[Row]
    platform: dict[str, list[Row]]
    """Exported tables by name."""
    charges: list[Row]
    """The provider's statement."""
    papers: list[Row]
    """Rows of the run table `receipts`, `printed` in unix time, `printer_id` the platform's merchant."""
    faults: list[Row] = field(default_factory=list)
    """What the printers confess: rows of the run table `printer_faults`, in unix time."""
    number_of: dict[int, int] = field(default_factory=dict)
    """Platform's order id -> number of the order."""

    def __post_init__(self) -> None:
        numbers = {(row["user_id"], row["key"]): row["n"] for row in self.users}
        for row in self.platform["orders"]:
            number = numbers.get((row["user_id"], row["order_ref"]))
            if number is not None:
                self.number_of[row["order_id"]] = number


EXPORTS = ("orders", "tickets", "payments", "refunds", "reconciliations", "ledger", "stock", "coupons")


def read_users(path: Path) -> list[Row]:
    """Rows that the load process left (JSON lines)."""
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line]


def read_platform(admin: AdminClient, names: Sequence[str] = EXPORTS) -> dict[str, list[Row]]:
    """The exported tables. Raises TargetError."""
    decode = msgspec.json.decode
    return {name: [decode(line) for line in admin.lines(f"/admin/export/{name}")] for name in names}


def read_statement(provider_url: str) -> list[Row]:
    """The provider's own books. Raises TargetError."""
    url = f"{provider_url.rstrip('/')}/statement"
    charges: dict[int, Row] = {}
    after, more = 0, True
    with httpx.Client(timeout=STATEMENT_S, trust_env=False) as client:
        while more:  # it is told in pages; a charge that changes meanwhile comes again, later
            try:
                page = client.get(url, params={"after": after}).raise_for_status().json()
                charges |= {charge["payment_id"]: charge for charge in page["charges"]}
                after, more = page["next"], page["more"]
            except (httpx.HTTPError, KeyError, ValueError) as error:
                raise TargetError(
                    f"{url}: the provider's statement cannot be read ({error or type(error).__name__})"
                ) from error
    return list(charges.values())


def tables(sides: Sides) -> dict[str, pa.Table]:
    """The run tables that a peak has."""
    rows: dict[str, Iterable[Row]] = {
        "orders": _orders(sides),
        "requests": ({"request_id": number, **row} for number, row in enumerate(sides.requests)),
        "tickets": _tickets(sides),
        "receipts": ({**row, "receipt_id": n, "printed": row["printed"] - sides.epoch}
                     for n, row in enumerate(sides.papers)),
        "printer_faults": (_timed(sides, row, "at", "until", "answered") for row in sides.faults),
        "payments": _payments(sides),
        "ledger": (_timed(sides, row, "at") for row in _of_orders(sides, "ledger")),
        "refunds": (_timed(sides, row, "wanted", "done") for row in _of_orders(sides, "refunds")),
        "reconciliations": (_timed(sides, row, "since", "found", "repaired")
                            for row in _of_orders(sides, "reconciliations")),
        "stock": sides.platform["stock"],
        "coupons": sides.platform["coupons"],
    }  # fmt: skip
    return {
        name: pa.Table.from_pylist([{column: row.get(column) for column in TABLES[name].names} for row in content],
                                   TABLES[name])
        for name, content in rows.items()
    }  # fmt: skip


def _orders(sides: Sides) -> Iterator[Row]:
    taken: dict[int, Row] = {}
    for row in sides.platform["orders"]:
        if (number := sides.number_of.get(row["order_id"])) is not None:
            taken.setdefault(number, row)
    for user in sides.users:
        base = {
            "order_id": user["n"],
            "kind": "order",
            "user_id": user["user_id"],
            "segment": "peak",
            "merchant_id": user["merchant_id"],
            "intended": user["intended"],
            "sent": user["sent"],
        }
        found = taken.get(user["n"])
        yield _never_taken(user, base) if found is None else _taken(sides, found, base)


def _taken(sides: Sides, row: Row, base: Row) -> Row:
    return {
        **_timed(sides, row, *MARKS[2:], *LIFE_MARKS, "assigned", "closed", "promised"),
        **base,
        "rider_id": None,
        "items": [{name: item[name] for name in ("dish_id", "name", "qty", "unit_fen")} for item in row["items"]],
        "coupon_refused": row["coupon_refused"],
        "stars": row["stars"] or 0,
    }


def _never_taken(user: Row, base: Row) -> Row:
    """The platform holds no order of this key: refused, or lost (what a user was told is the campaign's to compare)."""
    state = "refused" if user["outcome"] == "refused" else "lost"
    money = dict.fromkeys(("items_fen", "discount_fen", "delivery_fee_fen", "total_fen", "paid_fen", "refunded_fen"), 0)
    error = (user["answer"] or {}).get("error")
    return {
        **base,
        **money,
        "state": state,
        "terminal": state == "refused",
        "reason": error.get("code") if isinstance(error, dict) else None,
        "items": [],
        "closed": user["sent"] if state == "refused" else None,
        "drop_lat": 0.0,
        "drop_lng": 0.0,
        "stars": 0,
    }


def _tickets(sides: Sides) -> Iterator[Row]:
    for row in _of_orders(sides, "tickets"):
        yield _timed(sides, row, "queued", "claimed", "rendered", "delivered_to_printer", "printed")


def _payments(sides: Sides) -> Iterator[Row]:
    charges = {charge["payment_id"]: charge for charge in sides.charges}
    for row in _of_orders(sides, "payments"):
        charge: Mapping[str, Any] = charges.get(row["payment_id"], {})
        yield {
            **_timed(sides, row, "requested", "confirmed", "callback", "disputed"),
            "provider_state": charge.get("state"),
            "provider_fen": charge.get("charged_fen"),
            "provider_refunded_fen": charge.get("refunded_fen"),
        }


def _of_orders(sides: Sides, table: str) -> Iterator[Row]:
    """Rows that belong to orders of this run, with the number as their order."""
    for row in sides.platform[table]:
        if (number := sides.number_of.get(row["order_id"])) is not None:
            yield {**row, "order_id": number}


def _timed(sides: Sides, row: Row, *names: str) -> Row:
    """The row with unix times turned into run seconds."""
    return {**row, **{name: None if row.get(name) is None else row[name] - sides.epoch for name in names}}
