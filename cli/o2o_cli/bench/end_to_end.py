"""`o2o bench end-to-end`: the rate sustained from the order to the last byte at the printer, against the order rate.

Decides what "sustained" is: the highest rate of an open loop, found by trying, at which the backlog (orders that users
have meant to place, and whose tickets are not yet at their printer) does not grow. One worker, one relay, one
dispatcher process; the printers are a process of their own that takes paper at any speed and answers at once, so that
what is measured is the way and not the paper. Two rows: paid from the balance (paid as it is placed), and paid at the
provider, whose callback comes over HTTP.
The order rate is this run's own: the closed loop of `o2o bench order-path`, same settings, same database.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from o2o_cli import console
from o2o_cli.bench import house
from o2o_cli.bench.house import HouseRow
from o2o_cli.bench.order_path import build_world, closed_spec, open_spec, tell_cores, tell_machine
from o2o_cli.bench.stage import Stage
from o2o_cli.errors import EXIT_NOT_MET, UsageError
from o2o_cli.options import write_json
from o2o_loadtest.peak.open import schedule
from o2o_loadtest.peak.world import BALANCE_FEN, Size
from o2o_loadtest.processes import Child

TARGET = 0.6
STEPS = 5
"""Rates that are tried; halving alone would leave 3 % of the order rate."""
LESS = 0.95
FIRST = TARGET
"""Share of the order rate that is tried first: whether the target holds is known at once."""
GROWS = 0.02
"""A backlog that grows by less than this share of the rate does not grow: it is noise."""
LOOK_S = 0.25
"""How often the backlog is looked at."""
DRAIN_S = 120.0
START_S = 60.0
ORDER_PAIRS = 3
SIZE = Size(users=2000, balance_fen=BALANCE_FEN)
SMALL = Size(merchants=20, users=200, coupons=20, balance_fen=BALANCE_FEN)
Way = Literal["balance", "provider"]
WAYS: tuple[Way, ...] = ("balance", "provider")
WHAT = {
    "balance": "order to the last byte at the printer, paid from the balance",
    "provider": "order to the last byte at the printer, paid at the provider",
}

Progress = Callable[[str, float], None]
Floats = npt.NDArray[np.float64]


@dataclass
class Try:
    """One rate of the open loop. `growth`: of the backlog, tickets a second; `printed_per_s`: at the printers."""

    rate: float
    placed_per_s: float
    printed_per_s: float
    growth: float
    backlog: int
    """When the load ended."""
    drained_s: float | None
    """Until the backlog was gone; None: it never was."""
    sustained: bool
    valid: bool
    path_ms: dict[str, float] = field(default_factory=dict)
    """From accepted to the last byte sent, milliseconds."""
    cores: dict[str, float] = field(default_factory=dict)


@dataclass
class Measured:
    """All of one run."""

    order_rates: list[float]
    tries: dict[str, list[Try]]
    server: dict[str, str]

    @property
    def order_rate(self) -> float:
        """The median of the closed loops."""
        return statistics.median(self.order_rates)


def run_end_to_end(
    *,
    seconds: float = 10.0,
    database: str | None = None,
    redis: str | None = None,
    smoke: bool = False,
    gate: bool = False,
    json_path: Path | None = None,
    quiet: bool = False,
) -> int:
    """Measure, print, write; returns the exit code. Raises UsageError when servers are missing."""
    steps = STEPS
    if smoke:
        seconds, steps = 2.0, 1
    with console.phases(quiet=quiet) as progress, tempfile.TemporaryDirectory(prefix="o2o-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user has to get through
        work = measure(Path(folder), seconds, steps, SMALL if smoke else SIZE, database, redis, progress)
        told = asyncio.run(work)
    found = rows(told)
    house.show("End to end: one worker, one relay, one dispatcher, against the order rate of the same run", found)
    for way, tries in told.tries.items():
        if (one := best(tries)) is not None and one.path_ms:
            shown = ", ".join(f"{name} {value:.0f} ms" for name, value in one.path_ms.items())
            console.out.print(f"{way}: from accepted to the last byte sent at {one.rate:,.0f} /s: {shown}")
    tell_cores([(f"{way} at {one.rate:,.0f} /s", one.cores) for way, tries in told.tries.items() for one in tries])
    tell_machine(told.server)
    write_json(
        json_path,
        {
            "smoke": smoke,
            "seconds": seconds,
            "server": told.server,
            "order_rates": told.order_rates,
            "rows": [row.to_json() for row in found],
            "tries": {way: [asdict(one) for one in tries] for way, tries in told.tries.items()},
        },
    )
    return EXIT_NOT_MET if gate and house.short(found) else 0


async def measure(
    folder: Path, seconds: float, steps: int, size: Size, database: str | None, redis: str | None, progress: Progress
) -> Measured:
    """The order rate, then the search for each way of paying."""
    progress("starting servers", 0.0)
    sink = Sink(folder, size.merchants)
    try:
        printers = await asyncio.to_thread(sink.addresses)
        async with Stage(folder, database=database, redis=redis) as stage:
            await stage.start("worker")
            await stage.start("provider")
            await build_world(stage, size, progress, printers)
            rates = []
            for number in range(ORDER_PAIRS if steps > 1 else 1):
                progress("the order rate", 0.0)
                await stage.settle()
                figures, _ = await stage.load(closed_spec(folder, f"orders-{number}", seconds))
                rates.append(figures.per_s)
            await stage.start("relay")
            await stage.start("dispatcher")
            told = Measured(rates, {}, {})
            for way in WAYS:
                told.tries[way] = await _search(stage, sink, way, told.order_rate, seconds, steps, progress)
            told.server = await stage.server_settings()
            return told
    finally:
        await asyncio.to_thread(sink.close)


def rows(told: Measured) -> list[HouseRow]:
    """One row a way of paying."""
    found = []
    for way, tries in told.tries.items():
        one = best(tries)
        pairs = [(one.printed_per_s, told.order_rate)] if one else [(0.0, told.order_rate)]
        row = house.rate(f"end_to_end_{way}", WHAT[way], "/s", pairs, TARGET)
        found.append(row)
    return found


def best(tries: Sequence[Try]) -> Try | None:
    """The highest rate that was sustained."""
    return max((one for one in tries if one.sustained), key=lambda one: one.rate, default=None)


def next_rate(tries: Sequence[Try], order_rate: float) -> float:
    """A little less than what came out when too much was put in; else halfway between what was sustained and not.

    >>> next_rate([], 1000.0)
    600.0
    """
    if not tries:
        return FIRST * order_rate
    low = max((one.rate for one in tries if one.sustained), default=0.0)
    high = min((one.rate for one in tries if not one.sustained), default=order_rate)
    came_out = LESS * tries[-1].printed_per_s
    return came_out if not tries[-1].sustained and low < came_out < high else (low + high) / 2


def growth(at: Sequence[float] | Floats, backlog: Sequence[float] | Floats) -> float:
    """How fast a backlog grows, a second: the slope of the line through its last three quarters.

    >>> round(growth([0, 1, 2, 3, 4], [9, 2, 4, 6, 8]), 6)
    2.0
    """
    times, values = np.asarray(at, dtype=np.float64), np.asarray(backlog, dtype=np.float64)
    late = times >= times[0] + (times[-1] - times[0]) / 4
    if late.sum() < 2:
        return 0.0
    return float(np.polyfit(times[late] - times[0], values[late], 1)[0])


class Sink:
    """The printer process, and what it has said."""

    def __init__(self, folder: Path, count: int) -> None:
        self._said: dict[str, Any] = {}
        self._history: list[tuple[float, int]] = []
        argv = [sys.executable, "-m", "o2o_loadtest.peak.sink", str(count), str(folder / "sink.npz")]
        self._child = Child("printers", argv, folder / "sink.log", on_line=self._heard)

    def _heard(self, line: dict[str, Any]) -> None:
        self._said.update(line)
        if "tickets" in line:
            self._history.append((line["at"], line["tickets"]))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    @property
    def tickets(self) -> int:
        """That have arrived, as of its last word."""
        return int(self._said.get("tickets", 0))

    def tickets_at(self, at: Floats) -> Floats:
        """That had arrived at these times (unix), between two of its words."""
        times, counts = zip(*self._history, strict=True)
        found: Floats = np.interp(at, times, counts)
        return found

    def addresses(self) -> dict[int, tuple[str, int]]:
        """Where each printer is. Raises UsageError when the process does not start."""
        deadline = time.monotonic() + START_S
        while "printers" not in self._said:
            self._child.check()
            if time.monotonic() > deadline:
                raise UsageError("the printer process does not start")
            time.sleep(0.05)
        return {number: (host, port) for number, (host, port) in enumerate(self._said["printers"])}

    def close(self) -> None:
        """End it."""
        self._child.stop()


async def _search(
    stage: Stage, sink: Sink, way: Way, order_rate: float, seconds: float, steps: int, progress: Progress
) -> list[Try]:
    tries: list[Try] = []
    for step in range(steps):
        rate = next_rate(tries, order_rate)
        progress(f"{way}: {rate:,.0f} /s", step / steps)
        await stage.settle()
        tries.append(await _try(stage, sink, way, rate, seconds, f"{way}-{step}"))
        if tries[-1].drained_s is None:
            break  # what is left would be counted with the next one's
    return tries


async def _try(stage: Stage, sink: Sink, way: Way, rate: float, seconds: float, name: str) -> Try:
    began, before = time.time(), sink.tickets
    paid_from = "balance" if way == "balance" else ""
    spec = open_spec(stage.folder, name, rate, seconds, pay_with=paid_from, pay=way == "provider")
    figures, cores = await stage.load(spec, pids={"printers": sink.pid})
    ended = figures.epoch + seconds
    drained = await _drained(sink, before + figures.placed, ended)
    at = figures.epoch + np.arange(0.0, seconds + LOOK_S / 2, LOOK_S)
    wanted = np.searchsorted(schedule(spec.rate, seconds, spec.seed), at - figures.epoch)
    backlog = wanted - (sink.tickets_at(at) - before)
    half = sink.tickets_at(np.array([ended - seconds / 2, ended]))
    slope = growth(at, backlog)
    return Try(
        rate=round(rate, 1),
        placed_per_s=figures.per_s,
        printed_per_s=round(float(half[1] - half[0]) / (seconds / 2), 1),
        growth=round(slope, 2),
        backlog=round(float(backlog[-1])),
        drained_s=drained,
        sustained=slope <= GROWS * rate and drained is not None and figures.placed == figures.sent,
        valid=figures.valid,
        path_ms=await _path_ms(stage, began),
        cores=cores,
    )


async def _drained(sink: Sink, wanted: int, since: float) -> float | None:
    """Seconds until all tickets have arrived."""
    deadline = time.monotonic() + DRAIN_S
    while sink.tickets < wanted:
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(0.1)
    return round(max(0.0, time.time() - since), 2)


async def _path_ms(stage: Stage, since: float) -> dict[str, float]:
    """From accepted to delivered to the printer, as the platform's own marks have it."""
    row = await stage.fetch(
        "SELECT percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY t.delivered_to_printer - o.accepted) "
        f"FROM tickets t JOIN orders o ON o.id = t.order_id WHERE o.accepted >= {since} "
        "AND t.delivered_to_printer IS NOT NULL"
    )
    values = row[0][0] or []
    return {name: round(value * 1e3, 2) for name, value in zip(("p50", "p90", "p99"), values, strict=False)}
