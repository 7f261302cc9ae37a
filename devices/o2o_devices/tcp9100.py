"""Raw TCP 9100: one printer behind a socket, as print servers have it. No framing, no job id, no acknowledgement.

Decides who may talk to the printer (one connection at a time; others are accepted and wait unread), when the sender has
to wait (buffer and its reserve full, or a slow link: the socket is not read, TCP's window closes) and whether anybody
gets through (link and power: connections are refused and those open are reset). What the bytes mean and when paper is
out is `printer`'s, the sockets themselves are `connection`'s.

Everything runs on the event loop's clock; there is one timer per busy printer and no task.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable

from o2o_devices.connection import Connection
from o2o_devices.errors import FleetError
from o2o_devices.poll import READ, Poller, poller_of
from o2o_devices.printer import VirtualPrinter

_BACKLOG = 16
_PIECE_BYTES = 1024
_SLOW_PIECE_BYTES = 64
_NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NO_FILES_S = 1.0
"""Nobody is accepted for so long when the process has no descriptors left."""


class PrinterServer:
    """Serves `printer` on (host, port); port 0 picks a free one, which is kept for the server's life."""

    __slots__ = (
        "_active",
        "_fd",
        "_listens",
        "_loop",
        "_outages",
        "_poller",
        "_slow_until",
        "_stopped",
        "_timer",
        "_timer_at",
        "_waiting",
        "host",
        "port",
        "printer",
    )

    def __init__(self, printer: VirtualPrinter, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.printer = printer
        self.host = host
        self.port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poller: Poller
        self._fd = -1  # bound to the port, also while nobody listens there
        self._listens = False
        self._active: Connection | None = None
        self._waiting: tuple[Connection, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._stopped = False
        self._slow_until = 0.0  # a slow link is busy with what it carried last
        self._outages = 0

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind and listen. FleetError when the address cannot be bound."""
        self._loop = asyncio.get_running_loop()
        self._poller = poller_of(self._loop)
        self._bind()
        self._listen()

    async def stop(self) -> None:
        """Close the port and the connections; what is half printed stays so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stopped = True
        self._drop_connections()
        self._close_port()

    def _bind(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            sock.bind((self.host, self.port))
        except OSError as error:
            sock.close()
            raise FleetError(f"cannot open a printer port on {self.host}:{self.port}: {error}") from error
        self.port = sock.getsockname()[1]
        self._fd = sock.detach()

    def _listen(self) -> None:
        with _borrowed(self._fd) as sock:
            try:
                sock.listen(_BACKLOG)
            except OSError as error:
                raise FleetError(f"cannot open a printer port on {self.host}:{self.port}: {error}") from error
        self._listens = True
        self._poller.add(self._fd, self, READ)

    def _close_port(self) -> None:
        if self._fd < 0:
            return
        if self._listens:
            self._poller.remove(self._fd)
        self._listens = False
        os.close(self._fd)
        self._fd = -1

    def _refuse(self) -> None:
        """Stop listening and keep the port: a socket that is bound and does not listen refuses connections."""
        if self._listens:
            self._close_port()
            self._bind()

    def _drop_connections(self) -> None:
        connections = [*self._waiting, *((self._active,) if self._active is not None else ())]
        self._waiting = ()
        for connection in connections:
            connection.abort()

    def on_ready(self, events: int) -> None:
        """Somebody wants to connect."""
        assert self._loop is not None
        for _ in range(_BACKLOG):
            if not self._listens:
                return
            try:
                with _borrowed(self._fd) as sock:
                    client, _ = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_FILES:
                    raise
                self._poller.change(self._fd, 0)
                self._loop.call_later(_NO_FILES_S, self._accept_again)
                return
            self._opened(Connection(client, self, self._poller))

    def _accept_again(self) -> None:
        if self._listens:
            self._poller.change(self._fd, READ)

    # --- the printer's time ------------------------------------------------------------------------------------------

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        """Change the printer (paper, cover, power ...) now and see to what follows: act(VirtualPrinter.open_cover)."""
        assert self._loop is not None, "the server has not been started"
        change(self.printer, self._loop.time())
        self._tick()

    def _on_timer(self) -> None:
        self._timer = None
        self._tick()

    def _tick(self) -> None:
        """Do what is due, send the answers, set the timer, and bring the port in line with link and power."""
        assert self._loop is not None
        if self._stopped:
            return
        try:
            self._send(self.printer.advance(self._loop.time()))
        finally:
            self._arm()
        if self.printer.outages != self._outages:  # even one that is over by now
            self._outages = self.printer.outages
            self._drop_connections()
        if not self.reachable:
            self._refuse()
        elif not self._listens:
            self._listen()
        active = self._active
        if active is not None:
            if active.ended and not self.printer.owes_answers:
                active.close()
            elif self.printer.room() > 0 and not self._link_busy():
                active.resume()

    def _link_busy(self) -> bool:
        """Whether a slow link still carries the last piece."""
        assert self._loop is not None
        return self._loop.time() < self._slow_until

    def _on_link(self) -> None:
        """The link has carried its piece; a timer that is up a moment early is set again, as nobody else would."""
        assert self._loop is not None
        if self._link_busy() and not self._stopped:
            self._loop.call_later(0.001, self._on_link)
        else:
            self._tick()

    @property
    def connections(self) -> int:
        """Open now: the one that is served, and those that wait."""
        return (self._active is not None) + len(self._waiting)

    @property
    def reachable(self) -> bool:
        """Connections get through."""
        return self.printer.link_up and self.printer.mechanism.powered

    def _arm(self) -> None:
        assert self._loop is not None
        at = self.printer.next_at()
        if self._timer is not None:
            if at == self._timer_at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer_at = at
            self._timer = self._loop.call_at(at, self._on_timer)

    def _send(self, data: bytes) -> None:
        if data and self._active is not None:
            self._active.send(data)

    # --- connections -------------------------------------------------------------------------------------------------

    def _opened(self, connection: Connection) -> None:
        self.printer.counters.connections += 1
        if self._active is None:
            self._active = connection
            connection.resume()
        else:
            self._waiting = (*self._waiting, connection)

    def received(self, connection: Connection, data: bytes) -> None:
        """The active connection has brought something."""
        assert self._loop is not None
        try:
            self._send(self.printer.receive(data, self._loop.time()))
        finally:
            if self.printer.intake() == 0:
                self.printer.counters.stalls += 1
                connection.pause()
            elif self.printer.link_bytes_s is not None:
                connection.pause()
                self._slow_until = self._loop.time() + len(data) / self.printer.link_bytes_s
                self._loop.call_at(self._slow_until, self._on_link)
            self._tick()

    def said_all(self, connection: Connection) -> None:
        """The sender closed its half: answers still go out, then the connection ends."""
        assert self._loop is not None
        if connection is self._active:
            self.printer.end_input(self._loop.time())
            self._tick()

    def closed(self, connection: Connection) -> None:
        """A connection has ended, from whichever side."""
        assert self._loop is not None
        if connection is not self._active:
            self._waiting = tuple(other for other in self._waiting if other is not connection)
            return
        self._active = None
        self.printer.end_job(self._loop.time())
        if self._waiting:
            self._active, *others = self._waiting
            self._waiting = tuple(others)
            self._active.resume()
        self._tick()

    def piece(self) -> int:
        """Bytes to read at once: the buffer is given back piece by piece as paper comes out."""
        most = _PIECE_BYTES if self.printer.link_bytes_s is None else _SLOW_PIECE_BYTES
        return max(min(self.printer.intake(), most), 1)


class _borrowed:  # noqa: N801 - used as a function
    """A socket object for a descriptor, for the moment of a call; the descriptor stays open."""

    __slots__ = ("_sock",)

    def __init__(self, fd: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=fd)

    def __enter__(self) -> socket.socket:
        return self._sock

    def __exit__(self, *told: object) -> None:
        self._sock.detach()
