"""Raw TCP 9100: one printer behind a socket, as print servers have it. No framing, no job id, no acknowledgement.

Decides who may talk to the printer (one connection at a time; others are accepted and wait unread), when the sender has
to wait (buffer and its reserve full, or a slow link: the socket is not read, TCP's window closes) and whether anybody
gets through (link and power: connections are refused and those open are reset). What the bytes mean and when paper is
out is `printer`'s.

Everything runs on the event loop's clock; there is one timer per busy printer and no task.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from typing import cast

from o2o_devices.errors import FleetError
from o2o_devices.printer import VirtualPrinter

_BACKLOG = 16
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_PIECE_BYTES = 1024
_SLOW_PIECE_BYTES = 64


class PrinterServer:
    """Serves `printer` on (host, port); port 0 picks a free one, which is kept for the server's life."""

    __slots__ = (
        "_active",
        "_listening",
        "_loop",
        "_outages",
        "_placeholder",
        "_server",
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
        self._server: asyncio.Server | None = None
        self._placeholder: socket.socket | None = None  # keeps the port while connections are refused
        self._active: _Connection | None = None
        self._waiting: list[_Connection] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._listening: asyncio.Task[None] | None = None
        self._stopped = False
        self._slow_until = 0.0  # a slow link is busy with what it carried last; 0: it is free
        self._outages = 0

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind and listen. FleetError when the address cannot be bound."""
        self._loop = asyncio.get_running_loop()
        self._placeholder = self._bind()
        await self._listen()

    async def stop(self) -> None:
        """Close the port and the connections; what is half printed stays so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stopped = True
        self._drop_connections()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None

    def _bind(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            sock.bind((self.host, self.port))
        except OSError as error:
            sock.close()
            raise FleetError(f"cannot open a printer port on {self.host}:{self.port}: {error}") from error
        self.port = sock.getsockname()[1]
        return sock

    async def _listen(self) -> None:
        assert self._loop is not None
        sock, self._placeholder = self._placeholder, None
        if sock is not None:
            self._server = await self._loop.create_server(lambda: _Connection(self), sock=sock, backlog=_BACKLOG)
            if self._stopped:
                self._server.close()

    def _refuse(self) -> None:
        """Stop listening and keep the port: a socket that is bound and does not listen refuses connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._keep_port()

    def _keep_port(self) -> None:
        assert self._loop is not None
        if self._stopped:
            return
        try:
            self._placeholder = self._bind()
        except FleetError:  # uvloop closes a listening socket one turn later
            self._loop.call_later(0.005, self._keep_port)

    def _drop_connections(self) -> None:
        connections = [*self._waiting, *((self._active,) if self._active is not None else ())]
        self._waiting.clear()
        for connection in connections:
            connection.abort()

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
        elif self._placeholder is not None:
            self._placeholder.listen(_BACKLOG)  # at once; accepting begins a turn later
            self._listening = self._loop.create_task(self._listen())
            self._listening.add_done_callback(lambda _: self._tick())
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

    def opened(self, connection: _Connection) -> None:
        self.printer.counters.connections += 1
        if self._active is None:
            self._active = connection
        else:
            connection.pause()
            self._waiting.append(connection)

    def received(self, connection: _Connection, data: bytes) -> None:
        assert self._loop is not None
        if connection is not self._active:
            connection.early += data  # came before its reading could be paused
            return
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

    def said_all(self, connection: _Connection) -> None:
        """The sender closed its half: answers still go out, then the connection ends."""
        assert self._loop is not None
        if connection is self._active:
            self.printer.end_input(self._loop.time())
            self._tick()

    def closed(self, connection: _Connection) -> None:
        assert self._loop is not None
        if connection is not self._active:
            if connection in self._waiting:
                self._waiting.remove(connection)
            return
        self._active = None
        self.printer.end_job(self._loop.time())
        if self._waiting:
            self._active = self._waiting.pop(0)
            self._active.resume()
            if self._active.early:
                early, self._active.early = self._active.early, b""
                self.received(self._active, early)
        self._tick()

    def piece(self) -> int:
        """Bytes to read at once: the buffer is given back piece by piece as paper comes out."""
        most = _PIECE_BYTES if self.printer.link_bytes_s is None else _SLOW_PIECE_BYTES
        return max(min(self.printer.intake(), most), 1)


_shared = threading.local()
"""Where pieces are read into: one place a thread, because what is read is taken before anybody reads again."""


class _Connection(asyncio.BufferedProtocol):
    """One accepted connection; the server tells it when to read."""

    __slots__ = ("_paused", "_server", "_transport", "early", "ended")

    def __init__(self, server: PrinterServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self.early = b""
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._server.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        space: bytearray | None = getattr(_shared, "space", None)
        if space is None:
            space = _shared.space = bytearray(_PIECE_BYTES)
        return memoryview(space)[: self._server.piece()]

    def buffer_updated(self, nbytes: int) -> None:
        self._server.received(self, bytes(memoryview(_shared.space)[:nbytes]))

    def eof_received(self) -> bool:
        self.ended = True
        self._server.said_all(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.closed(self)

    def pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Reset, as a printer that comes back without memory of the connection does; not the polite end of a stream."""
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
