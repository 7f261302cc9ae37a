"""`o2o serve --workers N`: a parent that holds the socket, and N children that answer on it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from o2o_cli.jobs.serving import stop_event, url_of
from o2o_cli.up import programs
from o2o_cli.up.supervisor import Supervisor, unless
from o2o_platform.settings import Settings


async def serve_workers(
    settings: Settings, listener: socket.socket, workers: int, *, on_ready: Callable[[], None], stop_on_eof: bool
) -> None:
    """Keep the workers running until SIGINT or SIGTERM. Raises StartFailed."""
    settings = replace(settings, public_url=url_of(listener))
    supervisor, stopped = Supervisor(), stop_event(stop_on_eof=stop_on_eof)
    try:
        children = [programs.worker(number, settings, listener) for number in range(1, workers + 1)]
        if await unless(stopped, supervisor.start(children)):
            on_ready()
            await stopped.wait()
    finally:
        with closing(listener):  # nobody is to wait in it
            pass
        await supervisor.stop(list(supervisor.children))
