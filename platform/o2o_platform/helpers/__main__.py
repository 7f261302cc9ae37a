"""`python -m o2o_platform.helpers risk --port 8010`: one helper as a process of its own.

Decides the command line. It says `{"ready": true, "helper": ..., "base_url": ...}` on standard output once it answers,
and ends by SIGTERM or SIGINT after the answers under way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import uvicorn
import uvloop

from o2o_domain.risk import RiskPolicy
from o2o_platform.helpers.recommendation import Recommender
from o2o_platform.helpers.reviews import Reviews
from o2o_platform.helpers.risk import Risk
from o2o_platform.helpers.service import Knowledge, create_service

KEEP_ALIVE_S = 75
DRAIN_S = 1
"""Answers under way have so long to come to their end; a silent one never would."""


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it answers, and is told to end by us: it would raise signals again."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m o2o_platform.helpers", description="Run one helper of the platform.")
    parser.add_argument("name", choices=["risk", "recommendation", "reviews"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, and says which")
    parser.add_argument("--data", type=Path, help="file of what it knows; without one it forgets when it ends")
    parser.add_argument("--window-s", type=float, default=RiskPolicy().window_s, help="risk: orders count so long")
    parser.add_argument("--stop-on-eof", action="store_true", help="end when standard input is closed")
    return parser.parse_args(argv)


def _knowledge(given: argparse.Namespace) -> Knowledge:
    if given.name == "risk":
        return Risk(given.data, RiskPolicy(window_s=given.window_s))
    return Recommender(given.data) if given.name == "recommendation" else Reviews(given.data)


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


async def _serve(given: argparse.Namespace, listener: socket.socket) -> None:
    config = uvicorn.Config(
        create_service(_knowledge(given)),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    host, port = listener.getsockname()[:2]
    said = {"ready": True, "helper": given.name, "base_url": f"http://{f'[{host}]' if ':' in host else host}:{port}"}
    server, loop = _Server(config, lambda: print(json.dumps(said), flush=True)), asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if given.stop_on_eof:
        Thread(target=_at_eof, args=(lambda: loop.call_soon_threadsafe(stop),), daemon=True).start()
    await server.serve(sockets=[listener])


def _at_eof(stop: Callable[[], object]) -> None:
    while os.read(sys.stdin.fileno(), 4096):  # not by sys.stdin, whose lock Python wants back when it ends
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        stop()


def main(argv: list[str]) -> int:
    """Run until told to end."""
    given = _arguments(argv)
    try:
        listener = _bind(given.host, given.port)
    except OSError as error:
        print(f"{given.host}:{given.port}: cannot listen there ({error.strerror})", file=sys.stderr)
        return 1
    uvloop.run(_serve(given, listener))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
