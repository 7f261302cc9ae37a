"""One accepted connection: a descriptor that is read when its printer says so.

Decides how bytes are moved (pieces of the size that the printer has room for, answers kept when the peer does not read
them) and how a connection ends: politely, or reset as by a device that lost its power.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Protocol

from o2o_devices.poll import GONE, READ, WRITE, Poller

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_READS = 8
"""Pieces read before other printers have their turn."""
_MOST_UNSENT = 1 << 16
"""Answers kept for a peer that does not read; beyond that it has lost them."""


class Server(Protocol):
    """Whom a connection belongs to."""

    def piece(self) -> int:
        """Bytes to read at once."""

    def received(self, connection: Connection, data: bytes) -> None:
        """Bytes have come."""

    def said_all(self, connection: Connection) -> None:
        """The peer has closed its half."""

    def closed(self, connection: Connection) -> None:
        """It is over; called once, never from within another call to the connection."""


class Connection:
    """Not read until `resume`."""

    __slots__ = ("_closing", "_fd", "_paused", "_poller", "_server", "_unsent", "ended")

    def __init__(self, client: socket.socket, server: Server, poller: Poller) -> None:
        """Of a socket just accepted, which is the connection's from now on."""
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._fd = client.detach()
        self._server = server
        self._poller = poller
        self._paused = True
        self._unsent = b""
        self._closing = False
        self.ended = False
        """The peer has closed its half."""
        poller.add(self._fd, self, 0)

    def on_ready(self, events: int) -> None:
        """Read, write, or note that the peer is gone."""
        if events & WRITE:
            self._flush()
            self._watch()
        if events & READ and not self._paused:
            self._read()
        elif events & GONE:
            self._gone()

    def _read(self) -> None:
        for _ in range(_READS):
            if self._fd < 0 or self._paused:
                return
            size = self._server.piece()
            try:
                data = os.read(self._fd, size)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._gone()
                return
            if not data:
                self.ended = True
                self._watch()
                self._server.said_all(self)
                return
            self._server.received(self, data)
            if len(data) < size:
                return

    def pause(self) -> None:
        """Read no more for now: the peer has to wait when the socket's own buffers are full."""
        if not self._paused:
            self._paused = True
            self._watch()

    def resume(self) -> None:
        """Read (again)."""
        if self._paused:
            self._paused = False
            self._watch()

    def send(self, data: bytes) -> None:
        """Answer; nothing when the connection is over."""
        if self._fd < 0 or self._closing:
            return
        waits = bool(self._unsent)
        self._unsent = (self._unsent + data)[:_MOST_UNSENT]
        if not waits:
            self._flush()
            if self._unsent:
                self._watch()

    def close(self) -> None:
        """End it when all answers are out."""
        self._closing = True
        if not self._unsent:
            self._gone()

    def abort(self) -> None:
        """Reset, as a printer that comes back without memory of the connection does; not the polite end of a stream."""
        if self._fd >= 0:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=self._fd)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.detach()
            self._gone()

    def _flush(self) -> None:
        try:
            while self._unsent and self._fd >= 0:
                self._unsent = self._unsent[os.write(self._fd, self._unsent) :]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._gone()
            return
        if self._closing and not self._unsent:
            self._gone()

    def _watch(self) -> None:
        if self._fd >= 0:
            reads = not self._paused and not self.ended
            self._poller.change(self._fd, (READ if reads else 0) | (WRITE if self._unsent else 0))

    def _gone(self) -> None:
        if self._fd >= 0:
            self._poller.remove(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._unsent = b""
            self._poller.loop.call_soon(self._server.closed, self)
