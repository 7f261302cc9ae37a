"""What the audit may look at: the tables of one run, its scenario, and DuckDB over both.

Decides how a promise is asked (a count of what was looked at, a query whose rows are violations) and how a finding is
put into words. Leaves the promises to the modules beside it. Nothing here reads a platform, a simulation or a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from o2o_domain.orders import VERTICALS, OrderState, settled
from o2o_results.run import empty
from o2o_results.tables import TABLES
from o2o_scenarios.schema import Scenario

EXAMPLES = 5
NOT_TAKEN = ("refused", "lost", "not_sent")
"""States of intents that the platform holds no order for."""
GIVEN_BACK = ("payment_failed", "closed", "rejected", "cancelled", "refunded")
"""States in which stock and coupon have gone back (o2o_domain.orders)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a promise's function found: how many things it checked, how many break the promise, and examples."""

    checked: int
    violations: int
    examples: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of the audit: a stable name, the promise in words, and the function that checks it."""

    name: str
    text: str
    check: Callable[[Evidence], Finding]


def among(values: Iterable[str]) -> str:
    """Strings as an SQL list, for `state in {among(...)}`. The values are names of states, never input."""
    return "(" + ", ".join(f"'{value}'" for value in sorted(values)) + ")"


@dataclass
class Evidence:
    """The tables of one run under their names, in DuckDB, and as Arrow tables in `tables`.

    `horizon_s` is the run's end in run seconds; None when nobody said (then the last time in the tables is taken).
    `memo` keeps what several promises need and is costly to work out.
    `tolerance_s` is the disagreement allowed between the clocks of two processes: 0 in the model.
    One small table is added: `legal(kind, state, settled)` from o2o_domain.
    """

    tables: Mapping[str, pa.Table]
    scenario: Scenario | None = None
    horizon_s: float | None = None
    live: bool = False
    intents: int | None = None
    memo: dict[str, object] = field(default_factory=dict)
    db: duckdb.DuckDBPyConnection = field(default_factory=lambda: duckdb.connect(":memory:"))

    def __post_init__(self) -> None:
        for name in TABLES:
            self.db.register(name, self.tables[name] if name in self.tables else empty(name))
        legal = [
            {"kind": kind, "state": str(state), "settled": settled(kind, state)}
            for kind, table in VERTICALS.items()
            for state in {OrderState.REFUSED, *(s for s, _ in table), *table.values()}
        ]
        self.db.register("legal", pa.Table.from_pylist(legal))

    @property
    def tolerance_s(self) -> float:
        """Live, marks come from several processes' clocks; in the model from one."""
        return 0.005 if self.live else 1e-9

    def end(self) -> float:
        """The horizon in run seconds."""
        if self.horizon_s is not None:
            return self.horizon_s
        last = self.db.execute(
            "select max(greatest(intended, coalesce(closed, 0), coalesce(printed, 0), coalesce(delivered, 0))) "
            "from orders"
        ).fetchone()
        return float(last[0]) if last and last[0] is not None else 0.0

    def lead_end(self) -> float:
        """The horizon for leads: as `end`, or the last event of any lead when nobody said."""
        if self.horizon_s is not None:
            return self.horizon_s
        last = self.db.execute('select max("at") from lead_events').fetchone()
        return float(last[0]) if last and last[0] is not None else 0.0

    def count(self, sql: str, **values: Any) -> int:
        """The single number that `sql` selects (null counts as 0); `$name` in the text takes `values`."""
        row = self.db.execute(sql, values or None).fetchone()
        return int(row[0] or 0) if row else 0

    def ask(self, checked: str, violations: str, *, detail: str = "", **values: Any) -> Finding:
        """A finding from two queries: `checked` selects one number; each row of `violations` is one violation, told by
        its first column, a text. Rows are ordered by that text, so that examples do not change between runs.
        `values` are the violations query's parameters.
        """
        self.db.execute(f"create or replace temp table violation as select * from ({violations}) as v(what)", values)
        number = self.count("select count(*) from violation")
        examples = self.db.execute(f"select what from violation order by what limit {EXAMPLES}").fetchall()
        return Finding(self.count(checked), number, tuple(str(row[0]) for row in examples), detail)
