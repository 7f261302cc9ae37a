"""A whole fleet: its addresses, its processes, its control room and its figures (A14).

Decides where printers listen (a port once given stays with its printer: the file of ports is read again at each start),
that all paper goes to one journal (every process appends whole lines), and what becomes of the fleet when a process of
it dies: it is told, and all of it ends. None is started again behind anybody's back: its printers would have forgotten
their faults, their paper and what they had printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import msgspec

from o2o_cli import console
from o2o_cli.errors import UsageError
from o2o_cli.fleet import figures
from o2o_cli.fleet.figures import PartFigures
from o2o_cli.fleet.part import Part
from o2o_cli.fleet.parts import Parts
from o2o_cli.fleet.spec import FleetSpec
from o2o_cli.fleet.transports import TCP, parse_transports, transport_of
from o2o_cli.fleet.wire import Wire
from o2o_cli.jobs.serving import Site, served, stop_event
from o2o_cli.up.child import Child, Program
from o2o_cli.up.folder import read_json, write_json
from o2o_cli.up.ports import free_ports
from o2o_cli.up.supervisor import unless
from o2o_devices.errors import FleetError

LOOK_S = 0.1
LAST_FIGURES_S = 10.0
"""At the end a process that does not answer is not waited for any longer."""
Progress = Callable[[str, float], None]


class _Early(Exception):  # noqa: N818 - no mistake
    """Told to end before all printers were there."""


@dataclass(frozen=True)
class Whole:
    """What is started."""

    spec: FleetSpec
    ports_file: Path
    processes: int = 1
    control: socket | None = None
    """Where the control room listens; None: there is none."""
    figures_s: float | None = None
    """How often figures are told; None: at the end, and whenever SIGUSR1 comes."""

    async def run(
        self, *, on_ready: Callable[[], None], stop_on_eof: bool = False, progress: Progress = lambda what, share: None
    ) -> None:
        """Print until told to end. Raises UsageError, FleetError."""
        stopped = stop_event(stop_on_eof=stop_on_eof)
        spec = msgspec.structs.replace(self.spec, ports=self._ports())
        failed: list[str] = []
        with contextlib.suppress(_Early):
            await self._serve(spec, stopped, failed, on_ready, progress)
        if failed:
            raise FleetError("; ".join(failed))

    async def _serve(
        self,
        spec: FleetSpec,
        stopped: asyncio.Event,
        failed: list[str],
        on_ready: Callable[[], None],
        progress: Progress,
    ) -> None:
        if self.control is not None:
            from o2o_cli.fleet.api import control_app  # a web server: only who asks for it waits for it
        async with AsyncExitStack() as stack:
            running = (
                self._here(spec, progress) if self.processes == 1 else self._apart(spec, stopped, failed, progress)
            )
            parts = await stack.enter_async_context(running)
            await self._write_addresses(spec, parts)
            if self.control is not None:
                await stack.enter_async_context(served(Site(control_app(parts), self.control), stopped))
            teller = _Teller(parts)
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, teller.tell_soon)
            on_ready()
            telling = asyncio.create_task(teller.every(self.figures_s))
            await stopped.wait()
            telling.cancel()
            with contextlib.suppress(TimeoutError, FleetError):
                await asyncio.wait_for(teller.tell(), LAST_FIGURES_S)

    @asynccontextmanager
    async def _here(self, spec: FleetSpec, progress: Progress) -> AsyncIterator[Parts]:
        """All printers in this process."""
        part = Part(spec)
        try:
            await part.start(lambda share: progress("opening ports", share))
            yield Parts(spec, [(spec, part.call)])
        finally:
            await part.stop()

    @asynccontextmanager
    async def _apart(
        self, spec: FleetSpec, stopped: asyncio.Event, failed: list[str], progress: Progress
    ) -> AsyncIterator[Parts]:
        """Printers in processes of their own."""
        shares = [spec.part(number, self.processes) for number in range(self.processes)]
        wires = [Wire() for _ in shares]
        children = [Child(_program(share, wire), None, lambda: None) for share, wire in zip(shares, wires, strict=True)]
        watchers: list[asyncio.Task[None]] = []
        looking = asyncio.create_task(_look(children, progress))
        starts: list[asyncio.Task[None]] = []
        try:
            for share, wire, child in zip(shares, wires, children, strict=True):
                await wire.open(msgspec.json.encode(share))
                starts.append(asyncio.create_task(child.start()))
            if not await unless(stopped, _all(starts)):
                raise _Early
            for wire in wires:
                wire.theirs.close()  # so that a process that is gone is known to be
            looking.cancel()
            watchers += [asyncio.create_task(_watch(child, stopped, failed)) for child in children]
            yield Parts(spec, [(share, wire.call) for share, wire in zip(shares, wires, strict=True)])
        finally:
            looking.cancel()
            for task in (*watchers, *starts):
                task.cancel()
            await asyncio.gather(*watchers, *starts, return_exceptions=True)
            await asyncio.gather(*(child.stop() for child in children))
            for wire in wires:
                wire.close()

    def _ports(self) -> list[int]:
        """Where each printer listens: where it was, or a place of its own; 0 for those that do not listen."""
        spec, known = self.spec, self._known()
        shares = parse_transports(spec.transport)
        listening = [number for number in spec.numbers if transport_of(number, shares) == TCP]
        new = [number for number in listening if number not in known]
        made = free_ports(len(new), host=spec.host, apart_from=known.values()) if new else []
        places = {**known, **dict(zip(new, made, strict=True))}
        wanted = frozenset(listening)
        return [places[number] if number in wanted else 0 for number in spec.numbers]

    def _known(self) -> dict[int, int]:
        if not self.ports_file.exists():
            return {}
        try:
            told = read_json(self.ports_file).items()
            return {int(name): int(place[1]) for name, place in told if not isinstance(place, str)}
        except (TypeError, ValueError, LookupError):
            raise UsageError(f"{self.ports_file}: not a file of printers' ports; remove it, or name another") from None

    async def _write_addresses(self, spec: FleetSpec, parts: Parts) -> None:
        """[host, port] of each that listens, a URL of each that does not; of printers before `count`, they stay."""
        told: dict[str, object] = {str(number): [spec.host, port] for number, port in self._known().items()}
        for number, port, url in zip(spec.numbers, spec.ports, await parts.where(), strict=True):
            told[str(number)] = [spec.host, port] if port else url
        write_json(self.ports_file, told)


def _program(share: FleetSpec, wire: Wire) -> Program:
    name = f"printers {share.numbers.start} to {share.numbers.stop - 1}"
    argv = [sys.executable, "-m", "o2o_cli.fleet.part", str(wire.theirs.fileno())]
    return Program(name, "printers", argv, fds=(wire.theirs.fileno(),))


async def _all(starts: list[asyncio.Task[None]]) -> None:
    """Wait for all, or for the first that fails. Raises what it raised."""
    done, _ = await asyncio.wait(starts, return_when=asyncio.FIRST_EXCEPTION)
    for start in done:
        start.result()


async def _look(children: list[Child], progress: Progress) -> None:
    """Tell how far the start is, from what the processes say."""
    while True:
        done = sum(1.0 if "ready" in child.said else float(child.said.get("progress", 0.0)) for child in children)
        progress("opening ports", done / len(children))
        await asyncio.sleep(LOOK_S)


async def _watch(child: Child, stopped: asyncio.Event, failed: list[str]) -> None:
    """A process that ends by itself takes the fleet with it."""
    await child.ended()
    why = f"exit code {child.code}" if child.code is None or child.code >= 0 else f"signal {-child.code}"
    failed.append(f"the process of {child.program.name} has ended ({why}), and with it the fleet")
    stopped.set()


class _Teller:
    """Tells the figures, each time over what has passed since the last."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._last: list[PartFigures] = []
        self._task: asyncio.Task[None] | None = None

    async def tell(self) -> None:
        now = await self._parts.figures()
        figures.tell(figures.rows(now, self._last))
        self._last = now

    def tell_soon(self) -> None:
        """On a signal."""
        self._task = asyncio.create_task(self._try())

    async def every(self, seconds: float | None) -> None:
        """Until cancelled; None: look once, so that the figures at the end have something to be compared with."""
        self._last = await self._parts.figures()
        while seconds is not None:
            await asyncio.sleep(seconds)
            await self._try()

    async def _try(self) -> None:
        try:
            await self.tell()
        except FleetError as error:
            console.err.print(f"no figures: {error}")
