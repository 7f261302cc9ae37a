"""The trace: a Parquet file of intents, from which both worlds start.

Decides the columns of an intent. Leaves how intents come about to o2o_sim.demand. Everything random that both worlds
must agree on (what is ordered, how long the kitchen needs, whether a review follows) is drawn once, here in a column,
so that the model and the live run meet the same orders. Times are *city seconds* since the run's epoch; a world that
runs at `clock.speed` k divides them by k.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ITEM = pa.struct([pa.field("dish_id", pa.int32(), False), pa.field("qty", pa.int16(), False)])

TRACE_SCHEMA = pa.schema(
    [
        pa.field("intent_id", pa.int64(), False),  # 0..n-1 in order of intended_s
        pa.field("kind", pa.string(), False),  # "order" (takeout) | "deal" (group-buy)
        pa.field("intended_s", pa.float64(), False),  # city seconds since the epoch
        pa.field("user_id", pa.int32(), False),
        pa.field("segment", pa.string(), False),
        pa.field("merchant_id", pa.int32(), False),
        pa.field("items", pa.list_(ITEM), False),  # empty for a deal
        pa.field("deal_id", pa.int32(), True),  # null for a takeout order
        pa.field("coupon_code", pa.string(), True),
        pa.field("drop_node", pa.int32(), False),
        pa.field("drop_lat", pa.float64(), False),
        pa.field("drop_lng", pa.float64(), False),
        pa.field("prep_s", pa.float64(), False),  # kitchen time of this order, city seconds
        pa.field("pay_confirm_s", pa.float64(), False),  # run seconds until the user confirms the payment
        pa.field("pay_callback_s", pa.float64(), False),  # run seconds until the provider's callback
        pa.field("pay_refused", pa.bool_(), False),
        pa.field("pay_balance", pa.bool_(), False),  # from the user's wallet; the three columns before are unused then
        pa.field("review_stars", pa.int8(), False),  # 0: no review
        pa.field("redeem_after_s", pa.float64(), True),  # deal: city seconds from purchase to redemption; null: never
        pa.field("note", pa.string(), False),
    ]
)
"""Columns of the trace; one row an intent."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One row of the trace. Fields as in TRACE_SCHEMA; `items` is ((dish_id, qty), ...)."""

    intent_id: int
    kind: str
    intended_s: float
    user_id: int
    segment: str
    merchant_id: int
    items: tuple[tuple[int, int], ...]
    deal_id: int | None
    coupon_code: str | None
    drop_node: int
    drop_lat: float
    drop_lng: float
    prep_s: float
    pay_confirm_s: float
    pay_callback_s: float
    pay_refused: bool
    pay_balance: bool
    review_stars: int
    redeem_after_s: float | None
    note: str


@dataclass(frozen=True)
class Trace:
    """Intents in order of their intended time, and notes for the manifest (source, fitted extents, dropped rows)."""

    table: pa.Table
    notes: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def intents(self) -> list[Intent]:
        """All intents as values, in order of `intended_s`."""
        rows = self.table.to_pylist()
        for row in rows:
            row["items"] = tuple((item["dish_id"], item["qty"]) for item in row["items"])
        return [Intent(**row) for row in rows]

    def write(self, path: Path) -> None:
        """Write the Parquet file, with the notes in its schema metadata under `o2o`."""
        meta = {b"o2o": json.dumps(self.notes, sort_keys=True).encode()}
        pq.write_table(self.table.replace_schema_metadata(meta), path)

    @classmethod
    def read(cls, path: Path) -> Trace:
        """Read a trace written by `write`. Raises ValueError if the columns are not those of TRACE_SCHEMA."""
        table = pq.read_table(path)
        if "pay_balance" not in table.schema.names and "pay_refused" in table.schema.names:  # a trace of before wallets
            place = table.schema.get_field_index("pay_refused") + 1
            nobody = pa.repeat(pa.scalar(False), table.num_rows)
            table = table.add_column(place, TRACE_SCHEMA.field("pay_balance"), nobody)
        if table.schema.names != TRACE_SCHEMA.names:
            raise ValueError(f"{path}: not a trace (columns {table.schema.names})")
        meta = (table.schema.metadata or {}).get(b"o2o", b"{}")
        return cls(table.cast(TRACE_SCHEMA), json.loads(meta))
