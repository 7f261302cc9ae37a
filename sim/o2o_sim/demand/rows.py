"""Rows of a delimited text file, with errors that name file, line and column.

Decides how a value is checked. Leaves which columns there are, and what they mean, to the reader of each layout.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from o2o_sim.errors import DemandError

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file by column name."""

    path: Path
    line: int
    values: dict[str, str]

    def _fail(self, column: str, wanted: str) -> DemandError:
        found = self.values.get(column)
        what = "is missing" if found in (None, "") else f"is {found!r}"
        return DemandError(f"demand.orders: {self.path}:{self.line}: {column} {what}, {wanted} wanted")

    def text(self, column: str) -> str:
        """A value that is not empty."""
        value = (self.values.get(column) or "").strip()
        if not value:
            raise self._fail(column, "a value")
        return value

    def number(self, column: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number within [low, high]."""
        try:
            value = float(self.text(column))
        except ValueError:
            raise self._fail(column, "a number") from None
        if not math.isfinite(value) or not low <= value <= high:
            bounded = math.isfinite(low) or math.isfinite(high)
            raise self._fail(column, f"a number from {low:g} to {high:g}" if bounded else "a finite number")
        return value

    def clock_s(self, column: str) -> float:
        """Seconds since midnight of a time of day written hh:mm:ss."""
        match = _CLOCK.fullmatch(self.text(column))
        if match is None:
            raise self._fail(column, "a time of day hh:mm:ss")
        hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
        if hour > 23 or minute > 59 or second > 59:
            raise self._fail(column, "a time of day from 00:00:00 to 23:59:59")
        return hour * 3600.0 + minute * 60.0 + second

    def minute_s(self, column: str) -> float:
        """Seconds since midnight of a number of minutes, up to two days."""
        return self.number(column, 0, 2880) * 60.0

    def one_of(self, column: str, allowed: tuple[str, ...]) -> str:
        """A word of a list."""
        word = self.text(column)
        if word not in allowed:
            raise self._fail(column, "one of " + ", ".join(allowed))
        return word


def read_rows(path: Path, delimiter: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a file that must have `columns` (others are ignored). Raises DemandError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, delimiter=delimiter)
            found = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = found
            missing = [name for name in columns if name not in found]
            if missing:
                raise DemandError(
                    f"demand.orders: {path}:1: no column {missing[0]!r} (found: {', '.join(found) or 'nothing'})"
                )
            for values in reader:
                yield Row(path, reader.line_num, values)
    except FileNotFoundError:
        raise DemandError(f"demand.orders: {path}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DemandError(f"demand.orders: {path}: not a text table ({error})") from None
