"""One epoll for all sockets of all printers on a loop: what a socket costs is its number and one entry of a list.

Decides how descriptors are watched. Ten thousand printers have twenty thousand sockets; a transport and a server object
of the event loop for each of them would weigh more than the printers. So they share one epoll, whose own descriptor is
all that the loop knows of (level-triggered, as is everything here).
"""

from __future__ import annotations

import asyncio
import select
from typing import Protocol

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
GONE = select.EPOLLERR | select.EPOLLHUP
"""Always reported, whatever was asked for."""
_AT_ONCE = 512
"""Descriptors served before others have their turn on the loop."""


class Watched(Protocol):
    """Whoever owns a descriptor."""

    def on_ready(self, events: int) -> None:
        """Called on the loop with READ, WRITE, GONE, or several; may be called in vain."""


class Poller:
    """The descriptors of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._epoll: select.epoll | None = None
        self._owners: list[Watched | None] = []  # by descriptor
        self._count = 0

    def add(self, fd: int, owner: Watched, events: int) -> None:
        """Watch a descriptor that is not watched yet."""
        if self._epoll is None:
            self._epoll = select.epoll()
            _pollers.setdefault(self.loop, self)
            self.loop.add_reader(self._epoll.fileno(), self._on_ready)
        self._epoll.register(fd, events)
        if fd >= len(self._owners):
            self._owners += [None] * (fd + 1 - len(self._owners))
        self._owners[fd] = owner
        self._count += 1

    def change(self, fd: int, events: int) -> None:
        """Watch it for other events; 0: for its end only."""
        assert self._epoll is not None
        self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Before it is closed."""
        assert self._epoll is not None
        self._epoll.unregister(fd)
        self._owners[fd] = None
        self._count -= 1
        if self._count == 0:
            self.loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
            if _pollers.get(self.loop) is self:  # a loop that has ended is not kept
                del _pollers[self.loop]

    def _on_ready(self) -> None:
        if self._epoll is None:
            return
        for fd, events in self._epoll.poll(0, _AT_ONCE):
            owner = self._owners[fd]
            if owner is None:  # closed by somebody before it in this round
                continue
            try:
                owner.on_ready(events)
            except Exception as error:  # one printer's mistake is not the others'
                self.loop.call_exception_handler({"message": f"while serving {owner!r}", "exception": error})


_pollers: dict[asyncio.AbstractEventLoop, Poller] = {}
"""Those that watch something."""


def poller_of(loop: asyncio.AbstractEventLoop) -> Poller:
    """The loop's one poller."""
    found = _pollers.get(loop)
    return Poller(loop) if found is None else found
