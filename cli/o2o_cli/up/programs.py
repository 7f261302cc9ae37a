"""The platform's processes as programs for a supervisor: command lines, environments, inherited sockets.

Decides that settings reach a child by its environment, that a listening socket stays its parent's while children come
and go (connections wait in it meanwhile), and what a kind of process is called: worker, relay, dispatcher, provider,
printers, helper.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from o2o_cli.jobs.platform import environment
from o2o_cli.jobs.serving import NAME_VARIABLE
from o2o_cli.up.child import Program
from o2o_platform.settings import Settings

DRAIN_S = 15.0
"""Requests and tickets in hand have so long to come to their end."""


def o2o(*words: str) -> list[str]:
    """A command of this program."""
    return [sys.executable, "-m", "o2o_cli.main", *words]


def worker(number: int, settings: Settings, listener: socket.socket) -> Program:
    """One of those who answer requests on the parent's socket."""
    return _served(f"worker-{number}", "worker", ["serve"], settings, listener)


def relay(settings: Settings, health: socket.socket) -> Program:
    """Copies the outbox into the stream."""
    return _served("relay", "relay", ["relay"], settings, health)


def dispatcher(number: int, settings: Settings, health: socket.socket) -> Program:
    """One of those who bring tickets to the printers."""
    return _served(f"dispatcher-{number}", "dispatcher", ["dispatch"], settings, health)


def provider(settings: Settings, listener: socket.socket, journal: Path) -> Program:
    """The sandbox payment provider."""
    words = ["provider", "--platform-url", settings.public_url, "--journal", str(journal)]
    return _served("provider", "provider", words, settings, listener)


def printers(count: int, ports: Path, paper: Path, options: Sequence[str] = ()) -> Program:
    """The gateway of virtual printers."""
    words = ["printers", "--count", str(count), "--ports-file", str(ports), "--journal", str(paper), *options]
    return Program("printers", "printers", o2o(*words, "--announce"))


def helper(name: str, host: str, port: int, data: Path) -> Program:
    """One of the services that the platform asks and can do without."""
    argv = [sys.executable, "-m", "o2o_platform.helpers", name, "--host", host, "--port", str(port)]
    return Program(name, "helper", [*argv, "--data", str(data)], port=port)


def _served(name: str, kind: str, words: Sequence[str], settings: Settings, listener: socket.socket) -> Program:
    return Program(
        name,
        kind,
        o2o(*words, "--fd", str(listener.fileno()), "--announce"),
        port=int(listener.getsockname()[1]),
        env={**environment(settings), NAME_VARIABLE: name},
        fds=(listener.fileno(),),
        grace_s=DRAIN_S,
    )
