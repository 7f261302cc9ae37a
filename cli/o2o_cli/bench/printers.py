"""`o2o bench printers`: a whole fleet with a connection to each printer, tickets at a rate, every one read back (A14).

Decides the protocol. `o2o printers --count N --profile mixed` is started as anybody would; a second process connects to
every printer and sends real tickets at their times, whatever the answers do (`spooler`). Memory is looked at three
times in the one run: with the ports open, with N idle connections, and with the same connections idle again after the
tickets. Then every receipt in the journal is parsed back to its order: one that is missing, doubled or wrong fails.
Beside it, how fast tickets are interpreted on one core, against two plain ways of reading the same bytes.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from o2o_cli import console
from o2o_cli.bench import house, tokenisers
from o2o_cli.bench.calibration import calibrate
from o2o_cli.bench.cpu import watched
from o2o_cli.bench.house import HouseRow
from o2o_cli.bench.spooler import FINISH_S, SpoolerSpec
from o2o_cli.bench.tickets import Verdict, judge, ticket
from o2o_cli.errors import EXIT_NOT_MET, UsageError
from o2o_cli.fleet.spec import FleetSpec, processes_for, told_mix
from o2o_cli.options import write_json
from o2o_cli.up.programs import o2o
from o2o_devices.paper import read_paper
from o2o_loadtest.peak.figures import LATE_MS
from o2o_loadtest.processes import Child
from o2o_results.manifest import machine, versions

SEED = 7
START_S = 120.0
SETTLE_S = 1.0
ENOUGH = 2000
"""Printers among whom what the processes themselves grow by is little."""
IDLE_BYTES = 3000.0
"""A printer with its port and its idle connection may take so much."""
INTERPRET_US = 250.0
"""A ticket fully interpreted, on one core: 4,000 a second."""
COUNT, RATE, SECONDS = 10_000, 200.0, 120.0
SMALL = (50, 20.0, 4.0)
ROUNDS = 7
TICKETS = 200
"""That are interpreted in a round."""

Progress = Callable[[str, float], None]


@dataclass
class Measured:
    """All of one run. Memory: the fleet's figures (bytes) with open ports, with idle connections, and after."""

    fleet: FleetSpec
    processes: int
    rate: float
    seconds: float
    memory: dict[str, dict[str, Any]]
    sent: dict[str, Any]
    cores: dict[str, float]
    """Kept busy while tickets were sent."""
    busy_s: float
    verdict: Verdict
    interpreted: dict[str, list[float]]
    """Tickets a CPU second of each way of reading, by round."""
    image_mb_s: float
    """Raster image passed over by the interpreter in a CPU second."""
    calibration_s: float

    @property
    def cpu_us(self) -> float:
        """CPU of the fleet for a ticket, everything included, microseconds."""
        return self.cores["printers"] * self.busy_s / max(int(self.sent["answered"]), 1) * 1e6

    @property
    def late(self) -> bool:
        """The generator itself did not keep its times."""
        return bool(self.sent["late_ms"].get("p99", 0.0) > LATE_MS)


def run_printers(
    *,
    count: int = COUNT,
    rate: float = RATE,
    seconds: float = SECONDS,
    processes: int | None = None,
    smoke: bool = False,
    gate: bool = False,
    json_path: Path | None = None,
    quiet: bool = False,
) -> int:
    """Measure, print, write; returns the exit code: 1 when a ticket is missing, doubled or wrong, gate or not."""
    if smoke:
        count, rate, seconds = SMALL
    with console.phases(quiet=quiet) as progress, tempfile.TemporaryDirectory(prefix="o2o-bench-") as folder:
        told = measure(Path(folder), count, rate, seconds, processes, 1 if smoke else ROUNDS, progress)
    found = rows(told)
    tell(told, found)
    write_json(json_path, {"smoke": smoke, **to_json(told), "rows": [row.to_json() for row in found]})
    return EXIT_NOT_MET if not told.verdict.sound or (gate and house.short(found)) else 0


def measure(
    folder: Path, count: int, rate: float, seconds: float, processes: int | None, rounds: int, progress: Progress
) -> Measured:
    """The interpreter alone, then the fleet. Raises UsageError when a process does not start."""
    progress("interpreting", 0.0)
    calibration_s = calibrate()
    interpreted = tokenisers.rates([ticket(number, SEED, 48) for number in range(TICKETS)], rounds)
    image_mb_s = max(tokenisers.image_mb_s(rounds))
    apart = processes_for(count, processes)
    spec = FleetSpec(count=count, profile="mixed")
    ports, journal = folder / "printers.json", folder / "paper.jsonl"
    words = ["printers", "--count", str(count), "--profile", "mixed", "--processes", str(apart), "--keep", "0"]
    words += ["--ports-file", str(ports), "--journal", str(journal), "--control", "127.0.0.1:0", "--announce"]
    with _Fleet(o2o(*words), folder) as fleet:
        progress("opening ports", 0.0)
        room = fleet.until("control_url")
        memory = {"ports open": fleet.figures(room)}
        sending = SpoolerSpec(ports_file=str(ports), fleet=spec, rate=rate, seconds=seconds, seed=SEED)
        (folder / "spooler.json").write_bytes(msgspec.json.encode(sending))
        argv = [sys.executable, "-m", "o2o_cli.bench.spooler", str(folder / "spooler.json")]
        with _Process("spooler", argv, folder) as spooler:
            progress("connecting", 0.0)
            spooler.until("connected")
            time.sleep(SETTLE_S)
            memory["connections idle"] = fleet.figures(room)
            with watched({"printers": fleet.pid, "spooler": spooler.pid}) as used:
                spooler.say("go")
                sent = spooler.until(
                    "figures",
                    seconds + FINISH_S + START_S,
                    lambda past: progress("sending tickets", min(past / seconds, 1.0)),
                )
            time.sleep(SETTLE_S)
            memory["idle again"] = fleet.figures(room)
    progress("reading the paper", 0.0)
    verdict = judge(read_paper(journal), sending.turns(), SEED)
    return Measured(
        spec, apart, rate, seconds, memory, sent, used.cores, used.seconds, verdict, interpreted, image_mb_s,
        calibration_s,
    )  # fmt: skip


class _Process:
    """A child and what it has said."""

    def __init__(self, name: str, argv: list[str], folder: Path) -> None:
        self._said: dict[str, Any] = {}
        self._child = Child(name, argv, folder / f"{name}.log", on_line=self._said.update)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *told: object) -> None:
        self._child.stop()

    @property
    def pid(self) -> int:
        return self._child.pid

    def say(self, word: str) -> None:
        """A line to its standard input."""
        self._child.say({"say": word})

    def until(self, name: str, seconds: float = START_S, look: Callable[[float], None] = lambda past: None) -> Any:
        """What it says under a name. Raises ProcessError when it ends before, UsageError when it says nothing."""
        began = time.monotonic()
        while name not in self._said:
            self._child.check()
            past = time.monotonic() - began
            if past > seconds:
                raise UsageError(f"nothing is heard of {self._child.name} ({name})")
            look(past)
            time.sleep(0.02)
        return self._said[name]


class _Fleet(_Process):
    """`o2o printers`."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        super().__init__("printers", argv, folder)

    def figures(self, room: str) -> dict[str, Any]:
        """Memory, tickets and connections now, by process and in all."""
        response = httpx.get(f"{room}/figures", timeout=30.0, trust_env=False)
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found


def rows(told: Measured) -> list[HouseRow]:
    """What must hold, then what it takes."""
    verdict, late = told.verdict, ""
    if told.late:
        late = f"the generator itself was late (p99 {told.sent['late_ms']['p99']:g} ms, over {LATE_MS:g} ms)"
    enough = told.fleet.count >= ENOUGH
    few = "" if enough else f"what a process takes by itself is in it: {ENOUGH:,} printers or more are wanted"
    idle, again = (
        round(told.memory[when]["all"]["bytes_each"]) if enough else None for when in ("connections idle", "idle again")
    )
    best = {name: max(values) for name, values in told.interpreted.items()}
    return [
        house.bound("missing", "tickets that are on no paper", "", float(verdict.missing), 0.0),
        house.bound("doubled", "tickets that are on two papers", "", float(verdict.doubled), 0.0),
        house.bound("wrong", "papers that do not say their order", "", float(verdict.wrong), 0.0),
        house.bound("idle_bytes", "memory of a printer with an idle connection (USS)", "B", idle, IDLE_BYTES, why=few),
        house.bound("again_bytes", "the same after its tickets, work's traces included", "B", again, IDLE_BYTES),
        house.bound(
            "interpret_us", "a ticket interpreted, CPU", "us", 1e6 / best["interpreter"], INTERPRET_US
        ),
        house.bound(
            "fleet_cores", f"cores the fleet takes for {told.rate:g} tickets/s", "", told.cores["printers"],
            float(told.processes), why=late,
        ),
    ]  # fmt: skip


def to_json(told: Measured) -> dict[str, Any]:
    """All that was measured."""
    return {
        "count": told.fleet.count,
        "profile": told.fleet.profile,
        "models": told_mix(told.fleet.count),
        "processes": told.processes,
        "rate": told.rate,
        "seconds": told.seconds,
        "memory": told.memory,
        "sent": told.sent,
        "cores": told.cores,
        "cpu_us_a_ticket": told.cpu_us,
        "calibration_s": told.calibration_s,
        "image_mb_s": told.image_mb_s,
        "interpreted_per_cpu_s": {name: statistics.median(values) for name, values in told.interpreted.items()},
        "verdict": asdict(told.verdict),
    }


def tell(told: Measured, found: list[HouseRow]) -> None:
    """Print the rows, the memory, the times, and the comparison."""
    house.show(
        f"{told.fleet.count:,} printers ({told_mix(told.fleet.count)}) in {told.processes} processes, "
        f"{told.rate:g} tickets/s for {told.seconds:g} s",
        found,
    )
    for example in told.verdict.examples:
        console.out.print(f"  {example}")
    sent = told.sent
    console.out.print(
        f"{told.verdict.right:,} of {told.verdict.sent:,} tickets ({sent['bytes'] / max(sent['sent'], 1):,.0f} bytes "
        "each) came back word for word from their printer's paper: number, dishes, amounts, total and code"
    )
    cells = [
        [
            when,
            *(f"{row[name] / 1e6:,.1f} MB" for name in ("uss", "pss", "rss")),
            f"{row['bytes_each']:,.0f} B",
            f"{row['connections']:,}",
            f"{row['tickets']:,}",
        ]
        for when, figures in told.memory.items()
        for row in (figures["all"],)
    ]
    console.table("Memory of the fleet", ["when", "USS", "PSS", "RSS", "a printer", "connections", "tickets"], cells)
    cores = ", ".join(f"{name} {value:.2f}" for name, value in told.cores.items())
    console.out.print(
        f"cores kept busy: {cores}; {told.cpu_us:,.0f} us of CPU a ticket, sockets, paper and journal included "
        f"({told.cpu_us / 1e6 / told.calibration_s:.3f} calibration loops)"
    )
    console.out.print(f"from its time to its answer: {_ms(sent['answer_ms'])}; sent late by: {_ms(sent['late_ms'])}")
    medians = {name: statistics.median(values) for name, values in told.interpreted.items()}
    shown = ", ".join(
        f"{name} {value:,.0f} /s ({value / medians['interpreter']:.2f})" for name, value in medians.items()
    )
    size = statistics.mean(len(ticket(number, SEED, 48)) for number in range(TICKETS))
    console.out.print(
        f"reading tickets of {size:,.0f} bytes on one core: {shown}; the last two know our commands only, and "
        "neither widths, wrapping, places nor paper; image data: "
        f"{told.image_mb_s:,.0f} MB/s"
    )
    facts = machine()
    console.out.print(f"machine: {facts['cores']} cores, {facts['cpu']}; Python {versions()['python']}")


def _ms(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.1f} ms" for name, value in values.items()) or "-"
