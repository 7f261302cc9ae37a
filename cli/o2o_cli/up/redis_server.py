"""A Redis server of a set's own, with an append-only file that is synchronised every second.

Decides that it listens on loopback with a password, and keeps no snapshots beside the file. What is lost of the last
second when the machine (not the process) dies is read again from the outbox.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass

from o2o_cli.errors import UsageError
from o2o_cli.up.child import Program
from o2o_cli.up.folder import StateFolder
from o2o_cli.up.ports import free_ports, is_free

HOST = "127.0.0.1"
PROGRAM = "redis-server"
ANSWER_S = 1.0

CONFIG = """\
bind {host}
port {port}
dir {data}
requirepass {password}
appendonly yes
appendfsync everysec
save ""
daemonize no
loglevel notice
"""


@dataclass(frozen=True)
class Redis:
    """The server as a child, and where it is found once it runs."""

    program: Program
    url: str


def own_redis(folder: StateFolder) -> Redis:
    """The server of a state folder. Raises UsageError when its program is missing."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise UsageError(
            f"Redis' server program ({PROGRAM}) is not on this machine: install it (Debian: redis-server), "
            "or name a server that runs with --redis URL"
        )
    data = folder.path / "redis"
    data.mkdir(mode=0o700, exist_ok=True)
    port = int(folder.kept("redis_port", 0))
    if not port or not is_free(port):
        port = free_ports(1, apart_from=[int(folder.kept("postgres_port", 0))])[0]
        folder.keep("redis_port", port)
    password = folder.secret("redis_password")
    config = folder.path / "redis.conf"  # a password on the command line could be read by everybody
    descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(host=HOST, port=port, data=f'"{data}"', password=password))

    async def answers() -> bool:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await _ping(port, password)
        except (OSError, asyncio.IncompleteReadError):
            return False

    program = Program("redis", "redis", [found, str(config)], port=port, probe=answers)
    return Redis(program, f"redis://:{password}@{HOST}:{port}/0")


async def _ping(port: int, password: str) -> bool:
    """Whether it answers; not while it still reads its file."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(f"AUTH {password}\r\nPING\r\n".encode())
        told = [await reader.readline(), await reader.readline()]
    finally:
        writer.close()
    return told[1] == b"+PONG\r\n"
