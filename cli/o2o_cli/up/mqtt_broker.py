"""An MQTT broker (mosquitto) of a set's own, for printers on Star CloudPRNT over MQTT.

Decides that it listens on loopback and lets everybody there in: printers on this machine have no accounts, and a broker
that is open to the network is not ours to run. Sessions and what waits in them are written down, so that a result that
comes while dispatchers and broker are started again is not lost.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from o2o_cli.errors import UsageError
from o2o_cli.up.child import Program
from o2o_cli.up.folder import StateFolder
from o2o_cli.up.ports import free_ports, is_free

HOST = "127.0.0.1"
PROGRAM = "mosquitto"
ANSWER_S = 1.0
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"

CONFIG = """\
listener {port} {host}
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 100000
persistence true
persistence_location {data}/
autosave_interval 5
log_type error
log_type warning
log_type notice
connection_messages false
"""


@dataclass(frozen=True)
class Broker:
    """The server as a child, and where it is found once it runs."""

    program: Program
    url: str


def find_mosquitto() -> str:
    """Its program. Raises UsageError when it is missing."""
    found = shutil.which(PROGRAM, path=_PLACES)
    if found is None:
        raise UsageError(
            f"the MQTT broker's program ({PROGRAM}) is not on this machine: install it (Debian: mosquitto), "
            "or name a broker that runs with --mqtt-url URL"
        )
    return found


def write_config(path: Path, port: int, data: Path) -> None:
    """A configuration for a broker on loopback."""
    text = CONFIG.format(host=HOST, port=port, data=data)
    if os.geteuid() == 0:
        text += "user root\n"  # else it becomes a user who cannot write there
    path.write_text(text, encoding="utf-8")


def own_broker(folder: StateFolder) -> Broker:
    """The broker of a state folder. Raises UsageError when its program is missing."""
    found = find_mosquitto()
    data = folder.path / "mosquitto"
    data.mkdir(mode=0o700, exist_ok=True)
    port = int(folder.kept("mqtt_port", 0))
    if not port or not is_free(port):
        taken = [int(folder.kept(name, 0)) for name in ("postgres_port", "redis_port")]
        port = free_ports(1, apart_from=taken)[0]
        folder.keep("mqtt_port", port)
    config = folder.path / "mosquitto.conf"
    write_config(config, port, data)

    async def answers() -> bool:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await _greets(port)
        except (OSError, asyncio.IncompleteReadError):
            return False

    program = Program("broker", "broker", [found, "-c", str(config)], port=port, probe=answers)
    return Broker(program, f"mqtt://{HOST}:{port}")


async def _greets(port: int) -> bool:
    """Whether it takes a client: CONNECT with a clean session and no name, CONNACK with code 0."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00")
        return await reader.readexactly(4) == b"\x20\x02\x00\x00"
    finally:
        writer.close()
