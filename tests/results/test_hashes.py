"""The content hash: equal rows are equal, however they are stored; one changed value is another run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from o2o_results.hashes import table_hash, tables_hash
from o2o_results.run import as_table, empty


def test_chunks_files_and_what_lies_beneath_nulls_do_not_count(lunch: dict[str, pa.Table], tmp_path: Path) -> None:
    orders = lunch["orders"]
    pieces = pa.concat_tables([orders.slice(0, 7), orders.slice(7, 150), orders.slice(157)])
    assert pieces.column("order_id").num_chunks == 3
    pq.write_table(orders, tmp_path / "orders.parquet", row_group_size=13, compression="gzip")
    hashes = {table_hash(t) for t in (orders, pieces, pq.read_table(tmp_path / "orders.parquet"))}
    assert len(hashes) == 1
    data = pa.py_buffer(b"\x01\x00\x00\x00\x02\x00\x00\x00")
    other = pa.py_buffer(b"\x01\x00\x00\x00\x63\x00\x00\x00")
    mask = pa.py_buffer(b"\x01")  # the second value is null
    a, b = (pa.Array.from_buffers(pa.int32(), 2, [mask, values]) for values in (data, other))
    assert table_hash(pa.table({"x": a})) == table_hash(pa.table({"x": b}))


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.reverse(),
        lambda rows: rows.pop(),
        lambda rows: rows[3].update(printed=(rows[3]["printed"] or 0.0) + 1e-9),
        lambda rows: rows[20].update(reason=""),  # empty is not null
        lambda rows: rows[20]["items"][0].update(qty=9),
        lambda rows: rows[20].update(items=[]),
        lambda rows: rows[20].update(terminal=False),
    ],
)
def test_any_change_of_a_row_is_seen(lunch: dict[str, pa.Table], change: Any) -> None:
    rows = lunch["orders"].to_pylist()
    change(rows)
    assert table_hash(as_table("orders", rows)) != table_hash(lunch["orders"])


def test_text_that_moves_between_rows_is_seen() -> None:
    a, b = pa.table({"x": ["ab", "c"]}), pa.table({"x": ["a", "bc"]})
    assert table_hash(a) != table_hash(b)
    a, b = pa.table({"x": [[1, 2], [3]]}), pa.table({"x": [[1], [2, 3]]})
    assert table_hash(a) != table_hash(b)


def test_a_run_is_the_sum_of_its_tables(lunch: dict[str, pa.Table], fake: Any) -> None:
    assert tables_hash(lunch) == tables_hash(dict(reversed(lunch.items())))
    assert tables_hash(lunch) == tables_hash(lunch | {"leads": empty("leads")})
    assert tables_hash(lunch) != tables_hash({k: v for k, v in lunch.items() if k != "stock"})
    assert tables_hash(fake.fake_tables(60, seed=3)) == tables_hash(fake.fake_tables(60, seed=3))
    assert tables_hash(fake.fake_tables(60, seed=3)) != tables_hash(fake.fake_tables(60, seed=4))
