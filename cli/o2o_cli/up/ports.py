"""Ports for servers that must be found at the same place again after a restart.

Decides that they lie below the range from which the kernel takes ports for outgoing connections: there, somebody's
connection may take a port between the end of its server and the next start, and a client that tries to connect
meanwhile may even be connected to itself.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from o2o_cli.errors import UsageError

FIRST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int, *, host: str = "127.0.0.1", apart_from: Iterable[int] = ()) -> list[int]:
    """So many ports that nobody listens on now. Raises UsageError when there are not enough."""
    ports = range(FIRST, _outgoing())
    taken = frozenset(apart_from)
    found: list[int] = []
    # Sets that start at the same time look from different places on.
    start = os.getpid() * 7919 % len(ports)
    for step in range(len(ports)):
        if len(found) == count:
            break
        port = ports[(start + step) % len(ports)]
        if port not in taken and is_free(port, host=host):
            found.append(port)
    if len(found) < count:
        raise UsageError(f"{host}: only {len(found):,} of {count:,} ports between {FIRST} and {ports[-1]} are free")
    return found


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _outgoing() -> int:
    """Where the kernel's own range begins."""
    try:
        first = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768
    return first if first > FIRST + 1000 else 32_768
