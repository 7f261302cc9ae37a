"""The other end of the printers' benchmark: a connection to each of them, tickets at their times, answers counted.

Decides how tickets are sent: at intended times that do not wait for answers (an open loop), each to the printer whose
turn it is, and on a printer one at a time, as a spooler does (the next waits for the answer to the one before). A
process of its own, one thread, no event loop: what it takes is not the printers'.

    python -m o2o_cli.bench.spooler SPEC    connects, says {"connected": N}, waits for a line, sends, says its figures
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from o2o_cli.bench.tickets import columns_of, ticket
from o2o_cli.fleet.spec import FleetSpec
from o2o_devices.fleet import FILES_APART, allow_files
from o2o_loadtest.peak.open import schedule

FINISH_S = 120.0
"""Answers that are still out are waited for so long after the last ticket."""
ASK = b"\x1d(H\x06\x0000"
ANSWER_BYTES = 7


class SpoolerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent where."""

    ports_file: str
    fleet: FleetSpec
    rate: float
    seconds: float
    seed: int

    @property
    def tickets(self) -> int:
        """That are sent in all."""
        return round(self.rate * self.seconds)

    def turns(self) -> list[int]:
        """The printer of each ticket: everybody's turn in one drawn order, again and again."""
        order = np.random.default_rng(self.seed).permutation(self.fleet.count)
        return [int(order[number % self.fleet.count]) for number in range(self.tickets)]


class _Printer:
    __slots__ = ("asked", "heard", "queue", "sock")

    def __init__(self, place: tuple[str, int]) -> None:
        self.sock = socket.create_connection(place, timeout=30.0)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard = b""
        self.asked: int | None = None  # the ticket under way
        self.queue: deque[int] | None = None  # those that wait for it


class Spooler:
    """Connections to all printers of a fleet, and what is sent over them."""

    def __init__(self, spec: SpoolerSpec) -> None:
        self._spec = spec
        allow_files(spec.fleet.count + FILES_APART)
        self._turns = spec.turns()
        self._due = schedule(spec.rate, spec.seconds, spec.seed)
        widths = [columns_of(spec.fleet.profile_of(number)) for number in spec.fleet.numbers]
        self._bytes = [ticket(number, spec.seed, widths[turn]) for number, turn in enumerate(self._turns)]
        places = json.loads(Path(spec.ports_file).read_text("utf-8"))
        self._epoll = select.epoll()
        self._printers = [_Printer((*places[str(number)],)) for number in spec.fleet.numbers]
        self._by_fd = {printer.sock.fileno(): printer for printer in self._printers}
        for fd in self._by_fd:
            self._epoll.register(fd, select.EPOLLIN)
        self._late = np.full(len(self._due), np.nan)
        self._took = np.full(len(self._due), np.nan)
        self.gone = 0
        self._begun = 0.0
        self._answered = 0

    def run(self) -> dict[str, Any]:
        """Send everything; returns when every ticket is answered, or nobody waits any longer."""
        self._begun, cpu = time.monotonic(), time.process_time()
        due, count, at = self._due, len(self._due), 0
        deadline = self._begun + self._spec.seconds + FINISH_S
        while self._answered < count and time.monotonic() < deadline:
            now = time.monotonic() - self._begun
            while at < count and due[at] <= now:
                self._late[at] = now - due[at]
                self._arrived(at)
                at += 1
                now = time.monotonic() - self._begun
            wait = min(due[at] - now, 0.05) if at < count else 0.05
            for fd, events in self._epoll.poll(max(wait, 0.0), 256):
                self._ready(self._by_fd[fd], events)
        seconds = time.monotonic() - self._begun
        return {
            "sent": count,
            "bytes": sum(map(len, self._bytes)),
            "answered": self._answered,
            "gone": self.gone,
            "seconds": seconds,
            "cpu_s": time.process_time() - cpu,
            "late_ms": _percentiles(self._late),
            "answer_ms": _percentiles(self._took),
        }

    def _arrived(self, number: int) -> None:
        printer = self._printers[self._turns[number]]
        if printer.asked is None:
            self._send(printer, number)
        else:
            printer.queue = printer.queue or deque()
            printer.queue.append(number)

    def _send(self, printer: _Printer, number: int) -> None:
        printer.asked = number
        printer.sock.sendall(self._bytes[number] + ASK + _ident(number))

    def _ready(self, printer: _Printer, events: int) -> None:
        data = printer.sock.recv(64) if events & select.EPOLLIN else b""
        if not data:
            self.gone += 1
            self._epoll.unregister(printer.sock)
            return
        printer.heard += data
        if len(printer.heard) < ANSWER_BYTES:
            return
        number = printer.asked
        if number is None or printer.heard != b"\x37\x22" + _ident(number) + b"\x00":
            raise SystemExit(f"a printer has answered what nobody asked: {printer.heard!r}")
        self._took[number] = time.monotonic() - self._begun - self._due[number]
        self._answered += 1
        printer.heard, printer.asked = b"", None
        if printer.queue:
            self._send(printer, printer.queue.popleft())


def _ident(number: int) -> bytes:
    return b"%04d" % (number % 10_000)


def _percentiles(seconds: Any) -> dict[str, float]:
    known = seconds[~np.isnan(seconds)]
    if not known.size:
        return {}
    return {f"p{p}": round(float(np.percentile(known, p)) * 1e3, 3) for p in (50, 90, 99, 100)}


def main() -> None:
    """Standard input and output are the benchmark's."""
    spooler = Spooler(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=SpoolerSpec))
    print(json.dumps({"connected": True}), flush=True)
    if not sys.stdin.readline():
        return
    print(json.dumps({"figures": spooler.run()}), flush=True)
    sys.stdin.readline()  # the connections stay open until the benchmark has looked at the printers' memory


if __name__ == "__main__":
    main()
