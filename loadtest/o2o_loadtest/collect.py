"""From what everybody saw to the run tables: platform, payment provider, printers, actors and users.

Decides how the platform's ids and unix times become the scenario's ids and run seconds, and which side each column is
taken from. It computes no figure and corrects nothing: where two sides disagree, both stand in the tables, for the
audit to see. The sides are read one after the other, so all is read again while orders still move (a deadline that
passes, a refund on its way to the provider).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from o2o_loadtest.city_process import CITY_FILE
from o2o_loadtest.config import LiveConfig
from o2o_loadtest.errors import TargetError
from o2o_loadtest.locustfile_names import JOURNEYS_FILE, REQUESTS_FILE
from o2o_loadtest.setup import AdminClient
from o2o_results.tables import LIFE_MARKS, MARKS, TABLES
from o2o_scenarios.trace import Intent, Trace
from o2o_sim.city.model import City
from o2o_sim.city.road_table import road_table

Row = dict[str, Any]
CITY_TABLES = ("merchants", "riders", "samples", "receipts", "printer_faults")
READINGS = 60
"""Times that everything is read at most, waiting for a moment in which no order moves."""
PAUSE_S = 0.5
"""Pause before it is read again."""


def collect(
    admin: AdminClient, config: LiveConfig, trace: Trace, city: City, folder: Path, *, horizon_s: float
) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """Every run table of a live run, and notes for the manifest. Raises TargetError when the platform does not tell."""
    return _Collector(admin, config, trace, city, folder, horizon_s).tables()


class _Collector:
    def __init__(
        self, admin: AdminClient, config: LiveConfig, trace: Trace, city: City, folder: Path, horizon_s: float
    ) -> None:
        self._admin = admin
        self._config = config
        self._city = city
        self._folder = folder
        self._horizon_s = horizon_s
        self._intents = trace.intents()
        ids = config.ids
        self._merchant_of = {platform_id: own for own, platform_id in ids.merchants.items()}
        self._dish_of = {platform_id: own for own, platform_id in ids.dishes.items()}
        self._deal_of = {platform_id: own for own, platform_id in ids.deals.items()}
        self._coupon_of = {platform_code: own for own, platform_code in ids.coupons.items()}
        self._lead_of = {platform_id: own for own, platform_id in ids.leads.items()}
        self._journeys = {row["order_id"]: row for row in _jsonl(folder / JOURNEYS_FILE)}
        self._intent_of: dict[int, int] = {}
        """Platform's order id -> intent, of this run's orders."""

    def tables(self) -> tuple[dict[str, pa.Table], dict[str, Any]]:
        """All tables, as they were at one instant if there was one without a change."""
        for reading in range(1, READINGS + 1):
            exported = self._own_orders()
            rows = self._rows(exported)
            at_rest = _paid_back(rows["payments"]) and self._own_orders() == exported
            if at_rest or reading == READINGS:
                break
            if any(row["state"] == "disputed" for row in rows["payments"]):
                self._admin.post("/admin/payments/reconcile", json={})
            time.sleep(PAUSE_S)
        tables = {
            name: pa.Table.from_pylist([_only(name, row) for row in content], TABLES[name])
            for name, content in rows.items()
        }
        for name in CITY_TABLES:
            tables[name] = pq.read_table(self._folder / f"{CITY_FILE}-{name}.parquet").cast(TABLES[name])
        notes = self._folder / f"{CITY_FILE}-notifications.parquet"  # where people had a hand in it
        tables["notifications"] = pq.read_table(notes) if notes.exists() else TABLES["notifications"].empty_table()
        tables["roads"] = road_table(self._city.graph)
        tables["decisions"] = TABLES["decisions"].empty_table()
        strange = sum(1 for row in rows["orders"] if row["state"] == "lost")
        return tables, {"lost": strange, "readings": reading, "at_rest": at_rest}

    def _rows(self, exported: Mapping[int, Row]) -> dict[str, list[Row]]:
        """The tables that are read from the platform, its provider and the users, as rows."""
        return {
            "orders": [self._order(intent, exported.get(intent.intent_id)) for intent in self._intents],
            "requests": self._requests(),
            "tickets": self._tickets(),
            "payments": self._payments(),
            "ledger": self._ledger(),
            "refunds": [self._timed(row, "wanted", "done") for row in self._of_orders("refunds")],
            "reconciliations": [
                self._timed(row, "since", "found", "repaired") for row in self._of_orders("reconciliations")
            ],
            "payouts": self._payouts(),
            "stock": self._stock(),
            "coupons": self._coupons(),
            "reservations": list(self._of_orders("reservations")),
            "wallets": self._wallets(),
            "vouchers": self._vouchers(),
            "breakers": [self._timed(row, "at") for row in self._export("breakers")],
            **self._crm(),
        }

    # Orders ---------------------------------------------------------------------------------------------------------

    def _own_orders(self) -> dict[int, Row]:
        """The platform's orders of this run, by intent."""
        known: dict[int, Row] = {}
        for row in self._export("orders"):
            intent = self._config.intent_of(row["order_ref"])
            if intent is not None:
                known[intent] = row
                self._intent_of[row["order_id"]] = intent
        return known

    def _order(self, intent: Intent, row: Row | None) -> Row:
        journey = self._journeys.get(intent.intent_id)
        base: Row = {
            "order_id": intent.intent_id,
            "kind": intent.kind,
            "user_id": intent.user_id,
            "segment": intent.segment,
            "merchant_id": intent.merchant_id,
            "drop_lat": intent.drop_lat,
            "drop_lng": intent.drop_lng,
            "intended": intent.intended_s / self._config.speed,
            "sent": journey["sent"] if journey else None,
        }
        if row is None:
            return {**base, **self._never_taken(intent, journey)}
        order = self._timed(row, *MARKS[2:], *LIFE_MARKS, "assigned", "closed", "promised")
        return {
            **order,
            **base,
            "rider_id": self._number(row["rider_ref"], "rider"),
            "items": [
                {
                    "dish_id": self._dish_of[item["dish_id"]],
                    **{name: item[name] for name in ("name", "qty", "unit_fen")},
                }
                for item in row["items"]
            ],
            "coupon_code": self._coupon_of.get(row["coupon_code"]),
            "stars": row["stars"] or 0,
        }

    def _never_taken(self, intent: Intent, journey: Row | None) -> Row:
        """An intent for which the platform holds no order: refused, lost on the way, or never sent."""
        state = "not_sent" if journey is None else ("refused" if journey["outcome"] == "refused" else "lost")
        dishes = {dish.dish_id: dish for dish in self._city.merchants[intent.merchant_id].menu} if intent.items else {}
        items = [
            {"dish_id": dish, "name": dishes[dish].name, "qty": qty, "unit_fen": dishes[dish].price_fen}
            for dish, qty in intent.items
        ]
        return {
            "state": state,
            "terminal": state == "refused",
            "reason": (journey or {}).get("reason"),
            "items": items,
            **dict.fromkeys(
                ("items_fen", "discount_fen", "delivery_fee_fen", "total_fen", "paid_fen", "refunded_fen"), 0
            ),
            "closed": journey["sent"] if journey and state == "refused" else None,
            "stars": 0,
        }

    # Requests, payments, books --------------------------------------------------------------------------------------

    def _requests(self) -> list[Row]:
        rows = [*_jsonl(self._folder / REQUESTS_FILE), *_jsonl(self._folder / f"{CITY_FILE}-requests.jsonl")]
        rows.sort(key=lambda row: (row["sent"], row["intended"]))
        return [{"request_id": number, **row} for number, row in enumerate(rows)]

    def _tickets(self) -> list[Row]:
        marks = ("queued", "claimed", "rendered", "delivered_to_printer", "printed")
        return [
            {
                **self._timed(row, *marks),
                "merchant_id": self._merchant_of[row["merchant_id"]],
                "printer_id": self._merchant_of[row["printer_id"]],
            }
            for row in self._of_orders("tickets")
        ]

    def _ledger(self) -> list[Row]:
        """Entries of this run's orders, and payouts of its merchants."""
        found = []
        paid_out = {row["txn_id"] for row in self._export("ledger") if self._is_payout(row)}
        for row in self._export("ledger"):
            intent = self._intent_of.get(row["order_id"])
            if intent is not None or row["txn_id"] in paid_out:
                found.append({**self._timed(row, "at"), "order_id": intent, "account": self._account(row["account"])})
        return found

    def _is_payout(self, row: Row) -> bool:
        _, _, number = row["account"].partition(":")
        return row["reason"] == "paid_out" and number.isdigit() and int(number) in self._merchant_of

    def _payouts(self) -> list[Row]:
        rows = (row for row in self._export("payouts") if row["merchant_id"] in self._merchant_of)
        return [{**self._timed(row, "at"), "merchant_id": self._merchant_of[row["merchant_id"]]} for row in rows]

    def _stock(self) -> list[Row]:
        return [
            {**row, "dish_id": self._dish_of[row["dish_id"]], "merchant_id": self._merchant_of[row["merchant_id"]]}
            for row in self._export("stock")
            if row["dish_id"] in self._dish_of
        ]

    def _coupons(self) -> list[Row]:
        rows = (row for row in self._export("coupons") if row["code"] in self._coupon_of)
        return [{**row, "code": self._coupon_of[row["code"]]} for row in rows]

    def _wallets(self) -> list[Row]:
        rows = ({**row, "user_id": self._number(row["user_ref"], "user")} for row in self._export("wallets"))
        return [row for row in rows if row["user_id"] is not None]

    def _vouchers(self) -> list[Row]:
        rows = (self._timed(row, "issued", "redeemed") for row in self._of_orders("vouchers"))
        return [{**row, "deal_id": self._deal_of[row["deal_id"]]} for row in rows]

    def _payments(self) -> list[Row]:
        statement = self._statement()
        rows = []
        for row in self._of_orders("payments"):
            charge = statement.get(row["payment_id"], {})
            rows.append(
                {
                    **self._timed(row, "requested", "confirmed", "callback", "disputed"),
                    "provider_state": charge.get("state"),
                    "provider_fen": charge.get("charged_fen"),
                    "provider_refunded_fen": charge.get("refunded_fen"),
                }
            )
        return rows

    def _statement(self) -> dict[int, Row]:
        """The provider's own books; where it is stands in every pay link."""
        pay_url = next((row["pay_url"] for row in self._journeys.values() if row.get("pay_url")), None)
        if pay_url is None:
            return {}
        parts = urlsplit(pay_url)
        url = f"{parts.scheme}://{parts.netloc}/statement"
        charges: dict[int, Row] = {}
        after, more = 0, True
        with httpx.Client(timeout=60.0, trust_env=False) as client:
            while more:
                try:
                    page = client.get(url, params={"after": after}).raise_for_status().json()
                    charges |= {charge["payment_id"]: charge for charge in page["charges"]}
                    after, more = page["next"], page["more"]
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    raise TargetError(
                        f"{url}: the provider's statement cannot be read ({error or type(error).__name__})"
                    ) from error
        return charges

    def _account(self, account: str) -> str:
        """Accounts of merchants carry the platform's number of the merchant."""
        name, colon, number = account.partition(":")
        return f"{name}:{self._merchant_of[int(number)]}" if colon and number.isdigit() else account

    # CRM ------------------------------------------------------------------------------------------------------------

    def _crm(self) -> dict[str, list[Row]]:
        travel = {
            (visit["bd_id"], visit["lead_id"], round(visit["at"], 1)): visit
            for visit in pq.read_table(self._folder / f"{CITY_FILE}-visits.parquet").to_pylist()
        }
        leads = [
            {**self._timed(row, "created", "signed"), "owner": self._number(row["owner_ref"], "bd")}
            for row in self._of_leads("leads")
        ]
        events = [
            {
                **self._timed(row, "at"),
                "actor": self._number(row["actor_ref"], "bd"),
                "owner": self._number(row["owner_ref"], "bd"),
            }
            for row in self._of_leads("lead_events")
        ]
        visits = []
        for row in self._of_leads("visits"):
            visit = {**self._timed(row, "at"), "bd_id": self._number(row["bd_ref"], "bd")}
            near = [
                own
                for (bd, lead, at), own in travel.items()
                if bd == visit["bd_id"] and lead == visit["lead_id"] and abs(at - visit["at"]) < 5.0
            ]
            visits.append({**visit, "travel_s": near[0]["travel_s"] if near else 0.0})
        return {"leads": leads, "lead_events": events, "visits": visits}

    # Conversions ----------------------------------------------------------------------------------------------------

    def _export(self, table: str) -> Iterable[Row]:
        decode = msgspec.json.decode
        return [decode(line) for line in self._admin.lines(f"/admin/export/{table}")]

    def _of_orders(self, table: str) -> Iterator[Row]:
        """Rows that belong to orders of this run, with the intent as their order."""
        for row in self._export(table):
            if (intent := self._intent_of.get(row["order_id"])) is not None:
                yield {**row, "order_id": intent}

    def _of_leads(self, table: str) -> Iterator[Row]:
        """Rows that belong to leads of this run, with the scenario's lead."""
        for row in self._export(table):
            if (lead := self._lead_of.get(row["lead_id"])) is not None:
                yield {**row, "lead_id": lead}

    def _timed(self, row: Row, *names: str) -> Row:
        """The row with unix times turned into run seconds."""
        epoch = self._config.epoch
        return {**row, **{name: None if row.get(name) is None else row[name] - epoch for name in names}}

    def _number(self, reference: str | None, role: str) -> int | None:
        """`<prefix>rider12` -> 12; None when nobody, or somebody else's account."""
        start = f"{self._config.prefix}{role}"
        if not reference or not reference.startswith(start) or not reference[len(start) :].isdigit():
            return None
        return int(reference[len(start) :])


def _paid_back(payments: list[Row]) -> bool:
    """Whether the provider has paid back all that the platform owes the users, and nothing is in dispute."""
    return all(
        row["method"] == "balance"
        or ((row["provider_refunded_fen"] or 0) >= (row["refund_fen"] or 0) and row["state"] != "disputed")
        for row in payments
    )


def _only(name: str, row: Mapping[str, Any]) -> Row:
    """The columns of a table; one that is missing is null."""
    return {column: row.get(column) for column in TABLES[name].names}


def _jsonl(path: Path, decode: Callable[[bytes], Any] = msgspec.json.decode) -> list[Row]:
    if not path.exists():
        return []
    return [decode(line) for line in path.read_bytes().splitlines() if line]
