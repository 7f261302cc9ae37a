"""A content hash of run tables: equal rows give equal hashes, whatever the chunks, buffers or files look like.

Decides what "the same tables, to the bit" means: names, types, null positions and values, in row order. Bytes beneath a
null, chunk boundaries, Parquet encodings and metadata do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def table_hash(table: pa.Table) -> str:
    """SHA-256 (hex) of one table's columns in schema order."""
    digest = hashlib.sha256()
    digest.update(str(table.num_rows).encode())
    for name in table.column_names:
        column = table.column(name)
        digest.update(f"|{name}:{_kind(column.type)}".encode())
        _feed(digest, pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type))
    return digest.hexdigest()


def tables_hash(tables: Mapping[str, pa.Table]) -> str:
    """SHA-256 (hex) of a whole run: its tables by name. An empty table counts as absent."""
    digest = hashlib.sha256()
    for name in sorted(tables):
        if tables[name].num_rows:
            digest.update(f"{name}={table_hash(tables[name])}\n".encode())
    return digest.hexdigest()


def _kind(kind: pa.DataType) -> str:
    """The type as text; Parquet names a list's values differently than Arrow does, which makes no difference here."""
    if pa.types.is_list(kind):
        return f"[{_kind(kind.value_type)}]"
    if pa.types.is_struct(kind):
        return "{" + ",".join(f"{field.name}:{_kind(field.type)}" for field in kind) + "}"
    return str(kind)


def _feed(digest: Any, array: pa.Array) -> None:
    valid = np.asarray(pc.is_valid(array).to_numpy(zero_copy_only=False), dtype=bool)
    digest.update(np.packbits(valid).tobytes())
    kind = array.type
    if pa.types.is_list(kind):
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        digest.update(np.ascontiguousarray(lengths.to_numpy(zero_copy_only=False), dtype=np.int64).tobytes())
        _feed(digest, array.flatten())
    elif pa.types.is_struct(kind):
        for child in array.flatten():
            _feed(digest, child)
    elif pa.types.is_string(kind):
        data = pc.fill_null(pc.cast(array, pa.binary()), b"")
        lengths = pc.binary_length(data)
        digest.update(np.ascontiguousarray(lengths.to_numpy(zero_copy_only=False), dtype=np.int64).tobytes())
        digest.update(b"".join(data.to_pylist()))
    else:
        zero = pa.scalar(False if pa.types.is_boolean(kind) else 0, kind)
        values = pc.fill_null(array, zero).to_numpy(zero_copy_only=False)
        digest.update(np.ascontiguousarray(values).tobytes())
