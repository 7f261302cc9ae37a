"""One process's printers: a fleet in one event loop, its journal, its desk, and the answers to its parent.

Decides what one process does; how many there are is `whole`'s. As a program (`python -m o2o_cli.fleet.part FD`) it
reads what it is from its parent's first line, says {"ready": true} when all ports are open, and ends when it is told to
or when its parent is gone.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from o2o_cli.errors import guarded
from o2o_cli.fleet import wire
from o2o_cli.fleet.figures import Memory, PartFigures
from o2o_cli.fleet.spec import FleetSpec
from o2o_cli.fleet.transports import fronts_of
from o2o_cli.jobs.serving import stop_event
from o2o_devices.chances import Chances, parse_shares
from o2o_devices.desk import Desk
from o2o_devices.fleet import Fleet, FleetPlan, PrinterSpec
from o2o_devices.paper import PaperJournal
from o2o_devices.receipt import Receipt


class Part:
    """Printers of one process. Raises UsageError, FleetError."""

    def __init__(self, spec: FleetSpec) -> None:
        self.spec = spec
        gc.collect()
        self._empty = Memory.of()
        self._desk = Desk(spec.keep)
        self._journal = PaperJournal(Path(spec.journal))
        plan: FleetPlan = _plan(spec) if spec.faults else _no_faults
        on_paper = self._note if spec.keep else self._journal.note
        self.fleet = Fleet(_specs(spec), on_paper=on_paper, host=spec.host, plan=plan)
        self._desk.fleet = self.fleet

    def _note(self, printer_id: int, receipt: Receipt, at: float) -> None:
        self._journal.note(printer_id, receipt, at)
        self._desk.note(printer_id, receipt, at)

    async def start(self, progress: Callable[[float], None] = lambda share: None) -> None:
        """Open the ports."""
        await self.fleet.start(progress)

    async def stop(self) -> None:
        """Close them; nothing more is printed."""
        await self.fleet.stop()
        self._journal.close()

    def ask(self, name: str, args: Mapping[str, Any]) -> Any:
        """Answer a question: figures, or what the desk knows."""
        if name == "figures":
            fleet = self.fleet
            return msgspec.to_builtins(PartFigures.now(self._empty, len(fleet), fleet.connections(), fleet.counters()))
        if name == "where":
            return [self.fleet.where(number) for number in self.spec.numbers]
        return self._desk.call(name, args)

    async def call(self, name: str, args: Mapping[str, Any]) -> Any:
        """`ask`, as the parts in other processes are asked."""
        return self.ask(name, args)


def _no_faults(printer_id: int, ticket: int) -> None:
    return None


def _plan(spec: FleetSpec) -> Chances:
    return Chances(parse_shares(spec.faults or ""), seed=spec.seed, repair_s=spec.repair_s)


def _specs(spec: FleetSpec) -> Iterable[PrinterSpec]:
    deal = fronts_of(spec)
    profiles: dict[str, Any] = {}
    for number, port in zip(spec.numbers, spec.ports, strict=True):
        made = spec.profile_of(number)
        profile = profiles.setdefault(made.name, made)  # one object a model
        front, address = deal(number)
        yield PrinterSpec(number, profile, port=port, front=front, address=address)


async def _run(sock: socket.socket) -> None:
    stopped = stop_event()
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    size = int.from_bytes(await _exactly(loop, sock, 4), "big")
    part = Part(msgspec.json.decode(await _exactly(loop, sock, size), type=FleetSpec))
    await part.start(lambda share: _say(progress=share))
    try:
        answering = asyncio.create_task(wire.answer(sock, part.ask))
        answering.add_done_callback(lambda _: stopped.set())
        _say(ready=True)
        await stopped.wait()
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering
    finally:
        await part.stop()


async def _exactly(loop: asyncio.AbstractEventLoop, sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await loop.sock_recv(sock, size - len(data))
        if not piece:
            raise SystemExit(0)  # the parent is gone before it began
        data += piece
    return data


def _say(**told: Any) -> None:
    with suppress(BrokenPipeError):
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    guarded(lambda: uvloop.run(_run(socket.socket(fileno=int(sys.argv[1])))))
