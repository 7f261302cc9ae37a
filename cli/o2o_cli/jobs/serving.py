"""Apps behind sockets in one process: started in order, served until the process is told to end, ended in reverse.

Decides how sockets, signals and an app's life come together: a site is ready when its app has started (a mistake there
is told as the mistake it is), and a process that is told to end takes no new requests, answers those it has, and then
lets the app end. What the apps do is o2o_platform's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

import uvicorn

from o2o_cli.errors import UsageError
from o2o_cli.jobs import garbage

KEEP_ALIVE_S = 75
"""Longer than clients keep an idle connection, so that no request meets a connection that is just being closed."""
DRAIN_S = 5
"""Requests under way have so long to come to their end."""
BACKLOG = 2048
NAME_VARIABLE = "O2O_PROCESS"
"""A supervisor names its children by it."""


@dataclass(frozen=True)
class Site:
    """An ASGI app (Starlette's kind) and the socket that it answers on."""

    app: Any
    listener: socket.socket
    draining: Callable[[], None] = lambda: None
    """Called when no new requests are taken any more: endless answers are to end."""


def bind(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises UsageError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"{host}:{port}: cannot listen there ({error.strerror}); choose another {option}") from None
    listener.listen(BACKLOG)
    return listener


def inherited(descriptor: int) -> socket.socket:
    """The listening socket that a parent has opened. Raises UsageError when there is none."""
    try:
        listener = socket.socket(fileno=descriptor)
        listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        listening = 0
    if not listening:
        raise UsageError(f"--fd {descriptor}: not a listening socket")
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a socket is found."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    sites: Sequence[Site],
    *,
    on_ready: Callable[[], None],
    stop_on_eof: bool = False,
    log_level: str = "warning",
    log_config: Any = uvicorn.config.LOGGING_CONFIG,
) -> None:
    """Serve until SIGINT or SIGTERM. Raises what an app raises at its start.

    `stop_on_eof` also stops when standard input is closed: a process whose parent was killed does not outlive it.
    """
    stopped = stop_event(stop_on_eof=stop_on_eof)
    async with AsyncExitStack() as stack:
        for site in sites:
            await stack.enter_async_context(served(site, stopped, log_level, log_config))
        garbage.settle()
        on_ready()
        await stopped.wait()


def stop_event(*, stop_on_eof: bool = False) -> asyncio.Event:
    """Set when the process is told to end."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if stop_on_eof:
        Thread(target=_at_eof, args=(lambda: loop.call_soon_threadsafe(stopped.set),), daemon=True).start()
    return stopped


class _Server(uvicorn.Server):
    """uvicorn's server, without its own signal handling: several of them share the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(
    site: Site, stopped: asyncio.Event, log_level: str = "warning", log_config: Any = uvicorn.config.LOGGING_CONFIG
) -> AsyncIterator[None]:
    """A site that answers while the body runs; `stopped` is set when it ends by itself."""
    async with site.app.router.lifespan_context(site.app):
        config = uvicorn.Config(
            site.app,
            lifespan="off",  # ours: uvicorn would tell a failed start as a traceback
            log_level=log_level,
            log_config=log_config,
            access_log=False,
            proxy_headers=False,  # nobody asks where a request comes from
            backlog=BACKLOG,
            timeout_graceful_shutdown=DRAIN_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[site.listener]))
        task.add_done_callback(lambda _: stopped.set())
        try:
            while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells by an attribute only
                await asyncio.sleep(0.005)
            yield
        finally:
            site.draining()
            server.should_exit = True
            await task


def _at_eof(stop: Callable[[], object]) -> None:
    # Not through sys.stdin: its lock, held by a thread that waits, breaks the interpreter's own end.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        stop()
