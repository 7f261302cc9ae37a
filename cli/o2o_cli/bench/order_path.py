"""`o2o bench order-path`: orders a second of one worker against pgbench running the same statements, in one run.

Decides the protocol. For synchronous_commit off and on: pairs of runs, ours and the reference taking turns on the same
server, the same tables and the same cores, so that what disturbs the machine disturbs both; the ratio is the median of
the pairs'. Ours is one worker process behind HTTP, 64 connections in a closed loop; the reference is pgbench with
prepared statements, the better of 8 and 16 clients, while the worker stands still. Then an open loop at 70 % of our
rate: does the 99th percentile, from the intended time, stay below 50 ms?
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

from o2o_cli import console
from o2o_cli.bench import house, pgbench
from o2o_cli.bench.house import HouseRow
from o2o_cli.bench.stage import EDGE_S, Stage
from o2o_cli.errors import EXIT_NOT_MET, UsageError
from o2o_cli.options import write_json
from o2o_loadtest.peak.figures import LATE_MS, Figures
from o2o_loadtest.peak.spec import Spec
from o2o_loadtest.peak.world import Size, World, make_world
from o2o_results.manifest import machine, versions

TARGETS = {"off": 1.0, "on": 0.8}
"""Of the ratio, by synchronous_commit."""
CONNECTIONS = 64
WARMUP_S = 2.0
OPEN_SHARE = 0.7
OPEN_CONNECTIONS = 512
P99_MS = 50.0
SIZE = Size()
SMALL = Size(merchants=20, users=500, coupons=20)

Progress = Callable[[str, float], None]


@dataclass
class Mode:
    """What was measured with one setting of synchronous_commit."""

    ours: list[Figures] = field(default_factory=list)
    reference: list[list[pgbench.Pgbench]] = field(default_factory=list)
    """A pair's runs of pgbench, one a number of clients."""
    open: Figures | None = None
    cores: dict[str, dict[str, float]] = field(default_factory=dict)
    """Cores kept busy by each process, while ours and the reference (of the last pair) and the open loop ran."""

    @property
    def rate(self) -> float:
        """Our orders a second: the median of the pairs'."""
        return statistics.median(figures.per_s for figures in self.ours)

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """(ours, the better reference) of each pair."""
        best = [max(run.per_s for run in runs) for runs in self.reference]
        return [(figures.per_s, other) for figures, other in zip(self.ours, best, strict=False)]

    def to_json(self) -> dict[str, Any]:
        """All that was measured."""
        return {
            "pairs": [
                {"ours": ours.to_json(), "pgbench": [run.to_json() for run in runs]}
                for ours, runs in zip(self.ours, self.reference or [[] for _ in self.ours], strict=True)
            ],
            "open_loop": self.open.to_json() if self.open else None,
            "cores": self.cores,
        }


def run_order_path(
    *,
    seconds: float = 10.0,
    pairs: int = 5,
    database: str | None = None,
    redis: str | None = None,
    smoke: bool = False,
    gate: bool = False,
    json_path: Path | None = None,
    quiet: bool = False,
) -> int:
    """Measure, print, write; returns the exit code. Raises UsageError when servers are missing."""
    if smoke:
        seconds, pairs = 1.0, 1
    with console.phases(quiet=quiet) as progress, tempfile.TemporaryDirectory(prefix="o2o-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user has to get through
        work = measure(Path(folder), seconds, pairs, SMALL if smoke else SIZE, database, redis, progress)
        modes, server = asyncio.run(work)
    found = rows(modes)
    tell(found, modes, server)
    write_json(
        json_path,
        {
            "smoke": smoke,
            "seconds": seconds,
            "connections": CONNECTIONS,
            "server": server,
            "rows": [row.to_json() for row in found],
            "synchronous_commit": {name: mode.to_json() for name, mode in modes.items()},
        },
    )
    return EXIT_NOT_MET if gate and house.short(found) else 0


async def measure(
    folder: Path,
    seconds: float,
    pairs: int,
    size: Size,
    database: str | None,
    redis: str | None,
    progress: Progress,
) -> tuple[dict[str, Mode], dict[str, str]]:
    """What each setting of synchronous_commit gave, and the server's settings."""
    modes = {name: Mode() for name in TARGETS}
    progress("starting servers", 0.0)
    async with Stage(folder, database=database, redis=redis) as stage:
        await stage.start("worker")
        world = await build_world(stage, size, progress)
        step, steps = 0, len(modes) * (pairs + 1)
        for name, mode in modes.items():
            await stage.synchronous_commit(name)
            await stage.restart("worker")
            await stage.load(
                closed_spec(folder, f"warm-{name}", WARMUP_S)
            )  # code, plans and pages, before the first pair
            for pair in range(pairs):
                progress(f"synchronous_commit {name}, pair {pair + 1} of {pairs}", step / steps)
                await stage.settle()
                figures, mode.cores["ours"] = await stage.load(closed_spec(folder, f"{name}-{pair}", seconds))
                mode.ours.append(figures)
                if pgbench.found() is not None:
                    async with stage.held("worker"):
                        await _reference(stage, mode, reference_script(world, size), seconds)
                step += 1
            progress(f"synchronous_commit {name}, open loop", step / steps)
            await stage.settle()
            spec = open_spec(folder, f"open-{name}", mode.rate * OPEN_SHARE, seconds, warmup_s=WARMUP_S)
            mode.open, mode.cores["open loop"] = await stage.load(spec)
            step += 1
        return modes, await stage.server_settings()


async def build_world(
    stage: Stage, size: Size, progress: Progress, printers: dict[int, tuple[str, int]] | None = None
) -> World:
    """Seed the stage's platform, and leave the world's file where load processes look for it."""
    admin = await stage.admin()
    try:
        world = await asyncio.to_thread(make_world, admin, size, printers=printers, progress=progress)
    finally:
        admin.close()
    world.write(stage.folder / "world.json")
    return world


def closed_spec(folder: Path, name: str, seconds: float, *, pay_with: str = "") -> Spec:
    """Capacity: a closed loop."""
    return Spec(
        mode="closed",
        world=str(folder / "world.json"),
        out=str(folder / f"{name}.json"),
        seconds=seconds,
        warmup_s=min(WARMUP_S, seconds),
        connections=CONNECTIONS,
        prefix=f"{name}-",
        seed=crc32(name.encode()),
        pay_with=pay_with,
    )


def open_spec(
    folder: Path,
    name: str,
    rate: float,
    seconds: float,
    *,
    warmup_s: float = 0.0,
    pay_with: str = "",
    pay: bool = False,
) -> Spec:
    """Latency: an open loop."""
    return Spec(
        mode="open",
        world=str(folder / "world.json"),
        out=str(folder / f"{name}.json"),
        seconds=seconds,
        warmup_s=warmup_s,
        rate=max(rate, 1.0),
        connections=OPEN_CONNECTIONS,
        prefix=f"{name}-",
        seed=crc32(name.encode()),
        pay_with=pay_with,
        pay=pay,
    )


async def _reference(stage: Stage, mode: Mode, script: str, seconds: float) -> None:
    """One run of pgbench for each number of clients."""
    loop = asyncio.get_running_loop()
    runs = []
    for clients in pgbench.CLIENTS:
        await stage.settle()
        pid: asyncio.Future[int] = loop.create_future()

        def started(number: int, told: asyncio.Future[int] = pid) -> None:
            loop.call_soon_threadsafe(told.set_result, number)

        work = partial(pgbench.run, clients=clients, seconds=seconds, started=started)
        running = asyncio.create_task(asyncio.to_thread(work, stage.url, script, stage.folder))
        waited_for: list[asyncio.Future[Any]] = [pid, running]
        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        if pid.done():
            pids = {**stage.pids, "pgbench": pid.result()}
            mode.cores[f"pgbench, {clients} clients"] = await stage.cores(pids, max(seconds - 2 * EDGE_S, EDGE_S))
        run = await running
        if run.failed or not run.transactions:
            raise UsageError(f"pgbench: {run.failed} of {run.transactions} transactions failed; no reference")
        runs.append(run)
    mode.reference.append(runs)


def reference_script(world: World, size: Size) -> str:
    """The platform's own statements for one order, drawn from this world."""
    from o2o_platform.orders.lane.single import single_order_script

    dishes = [dish for shop in world.shops for dish in shop.dishes]
    merchants = [shop.id for shop in world.shops]
    if dishes != list(range(dishes[0], dishes[0] + len(dishes))) or merchants != list(
        range(merchants[0], merchants[0] + len(merchants))
    ):
        raise UsageError("the fresh database did not number merchants and dishes one after the other")
    return single_order_script(
        first_merchant=merchants[0],
        merchants=size.merchants,
        first_dish=dishes[0],
        dishes=size.dishes,
        users=size.users,
        coupons=size.coupons,
    )


def rows(modes: dict[str, Mode]) -> list[HouseRow]:
    """The table's rows: two rates, two percentiles."""
    missing = "" if all(mode.reference for mode in modes.values()) else "pgbench is not installed (postgresql-contrib)"
    found = [
        house.rate(
            f"orders_{name}",
            f"orders placed, synchronous_commit {name}",
            "/s",
            mode.pairs,
            TARGETS[name],
            missing=missing,
        )
        for name, mode in modes.items()
    ]
    return [*found, *(_percentile(name, mode) for name, mode in modes.items())]


def _percentile(name: str, mode: Mode) -> HouseRow:
    told = mode.open
    why = "" if told is None or told.valid else f"the generator itself was late (p99 over {LATE_MS:g} ms)"
    if told is not None and told.placed < told.sent:
        why = f"{told.sent - told.placed} of {told.sent} orders were not placed"
    return house.bound(
        f"p99_{name}",
        f"p99 at {OPEN_SHARE:.0%} of that rate, synchronous_commit {name}",
        "ms",
        told.latency_ms.get("p99") if told else None,
        P99_MS,
        why=why,
    )


def tell(found: list[HouseRow], modes: dict[str, Mode], server: dict[str, str]) -> None:
    """Print rows, who was busy, and on what all this was measured."""
    house.show("Order path: one worker process against pgbench, one run, same cores", found)
    tell_cores([(f"synchronous_commit {name}: {when}", cores) for name, mode in modes.items()
                for when, cores in mode.cores.items()])  # fmt: skip
    tell_machine(server)


def tell_cores(measured: list[tuple[str, dict[str, float]]]) -> None:
    """Print the cores that each process kept busy."""
    names = sorted({name for _, cores in measured for name in cores})
    cells = [[when, *(f"{cores[name]:.2f}" if name in cores else "-" for name in names)] for when, cores in measured]
    console.table("Cores kept busy", ["while", *names], cells)


def tell_machine(server: dict[str, str]) -> None:
    """Print the machine and the server's settings."""
    facts = machine()
    told = ", ".join(f"{name} {value}" for name, value in server.items()).removeprefix("server_version ")
    console.out.print(
        f"machine: {facts['cores']} cores, {facts['cpu']}; Python {versions()['python']}; PostgreSQL {told}"
    )
