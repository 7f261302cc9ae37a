"""The way of a Star printer to its broker, and back to it after every loss (A14).

Decides when a printer asks its server where the broker is, connects, and tries again: at once after power or link came
back, else after a pause that doubles and that no two printers have alike; after some failures it asks its server anew.
What the broker has not acknowledged of results is sent again on the next connection, marked as a duplicate (MQTT 3.1.1,
section 4.4); statuses are not, they are of their moment. The session at the broker outlives the connection (clean
session 0, as LinusU/cloudprnt-emulator has it): what is published for the printer meanwhile waits for it.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Coroutine
from typing import Any

from o2o_devices.cloud import mqtt_packets as packets
from o2o_devices.cloud import star_words as words
from o2o_devices.cloud.auth import Auth
from o2o_devices.cloud.machine import Machine
from o2o_devices.cloud.mqtt_line import SUBSCRIPTION, Account, Line
from o2o_devices.cloud.star_server import StarServer

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
"""Pauses between attempts to reach the broker, before they are drawn (assumed; the guide names none)."""
ASK_ANEW = 3
"""Failed attempts after which the server is asked again where the broker is."""


class Session:
    """One printer's, by its MAC (12 hex digits). `server`: the CloudPRNT URL set in it, or the broker itself."""

    __slots__ = (
        "_account",
        "_failures",
        "_keepalive_s",
        "_last_id",
        "_line",
        "_pause",
        "_polling_s",
        "_server",
        "_stopped",
        "_task",
        "_unacked",
        "mac",
        "machine",
        "mode",
    )

    def __init__(self, machine: Machine, mac: str, server: str | Account, auth: Auth | None, keepalive_s: int) -> None:
        self.machine = machine
        self.mac = mac
        self.mode = "off"
        """off, asking (its server), connecting, up, or http: the server wants to be polled."""
        self._server = None if isinstance(server, Account) else StarServer(server, mac, auth, self.link_rate)
        self._account = server if isinstance(server, Account) else None
        self._keepalive_s = keepalive_s
        self._polling_s: float | None = None  # between statuses, as the server wants it
        self._line: Line | None = None
        self._task: asyncio.Task[None] | None = None  # asks, connects
        self._pause: asyncio.TimerHandle | None = None  # until the next attempt
        self._unacked: dict[int, tuple[str, bytes]] = {}  # what is sent again
        self._last_id = 0
        self._failures = 0
        self._stopped = True

    @property
    def connected(self) -> bool:
        """Jobs reach it."""
        return self._line is not None and self._line.up

    def up(self) -> None:
        """The printer's: messages go both ways from now on."""
        raise NotImplementedError

    def line_message(self, line: Line, message: packets.Publish) -> None:
        """The printer's: a message came."""
        raise NotImplementedError

    # --- coming and going --------------------------------------------------------------------------------------------

    def come_up(self, *, at_once: bool = False) -> None:
        """Find the broker and connect, unless that is under way. at_once: earlier failures do not count."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if at_once:
            self._failures = 0
        if self._stopped or not self.machine.reachable or self._line is not None or self._task is not None:
            return
        self.in_background(self._connect())

    async def leave(self) -> None:
        """DISCONNECT, for good."""
        self._stopped, self.mode = True, "off"
        line, self._line = self._line, None
        if line is not None:
            await line.end()
        if self._pause is not None:
            self._pause.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def cut_off(self) -> None:
        """The connection is gone, without a word."""
        if self._line is not None:
            self._line.abort()

    def forget(self) -> None:
        """Power was lost: nothing of what was to be said is left."""
        self._unacked.clear()

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """One exchange at a time; another is asked for in vain."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(work)
            self._task.add_done_callback(self._done)
        else:
            work.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        """Without a connection by now there will be another attempt."""
        if self._task is not task:
            return
        self._task = None
        if not task.cancelled():
            task.result()
        if self._line is None:
            self._later()

    def _later(self) -> None:
        if self._pause is None and not self._stopped and self.mode != "http" and self.machine.reachable:
            pause = min(FIRST_RETRY_S * 2**self._failures, LAST_RETRY_S) * random.uniform(0.5, 1.0)
            self._failures += 1
            self._pause = asyncio.get_running_loop().call_later(pause, self.come_up)

    async def _connect(self) -> None:
        if self._server is not None and (self._account is None or self._failures >= ASK_ANEW):
            self.mode = "asking"
            await self._ask(self._server)
        account = self._account
        if account is None or not self.machine.reachable:
            return
        self.mode = "connecting"
        mac = words.colons(self.mac)
        first = packets.connect(
            mac,
            keepalive_s=self._keepalive_s,
            will_topic=self._topic("client-will"),
            will=words.said("client-will", self.mac, unintentionalDisconnection=True),
            clean=False,
            username=account.username,
            password=account.password,
        )
        line = Line(self, first, f"star/cloudprnt/to-device/{mac}/#", self._keepalive_s)
        context = ssl.create_default_context() if account.tls else None
        self._line = line
        try:
            await asyncio.get_running_loop().create_connection(lambda: line, account.host, account.port, ssl=context)
        except OSError:
            if self._line is line:
                self._line = None
        except asyncio.CancelledError:
            line.abort()
            raise
        else:
            if line is not self._line or not self.machine.reachable:  # cut off meanwhile
                line.abort()

    async def _ask(self, server: StarServer) -> None:
        """Learn where the broker is; `mode` is "http" when there is none."""
        setting = await server.setting()
        if setting is not None:
            self._account, self._polling_s, self._failures = setting.account, setting.polling_s, 0
            if setting.account is None:
                self.mode = "http"

    async def look_again(self, server: StarServer) -> None:
        """Move to another broker if the server names one."""
        before = self._account
        await self._ask(server)
        if self._account != before:
            self.cut_off()

    # --- the connection's calls --------------------------------------------------------------------------------------

    def link_rate(self) -> float | None:
        """Bytes a second that the link carries."""
        return self.machine.printer.link_bytes_s

    def line_up(self, line: Line) -> None:
        self.mode = "up"
        self._failures = 0
        for packet_id, (topic, payload) in self._unacked.items():
            line.send(packets.publish(topic, payload, packet_id, dup=True))
        self.up()

    def line_acked(self, packet_id: int) -> None:
        self._unacked.pop(packet_id, None)

    def line_down(self, line: Line) -> None:
        if self._line is line:
            self._line = None
            self.mode = "connecting" if self.mode == "up" else self.mode
            self._later()

    # --- messages ----------------------------------------------------------------------------------------------------

    def say(self, method: str, **fields: Any) -> None:
        """Say it now, or not at all."""
        if self._line is not None:
            payload = words.said(method, self.mac, **fields)
            self._line.send(packets.publish(self._topic(method), payload, self._next_id()))

    def insist(self, method: str, **fields: Any) -> None:
        """Say it now, and again until the broker has it."""
        packet_id, topic, payload = self._next_id(), self._topic(method), words.said(method, self.mac, **fields)
        self._unacked[packet_id] = topic, payload
        if self._line is not None and self._line.up:
            self._line.send(packets.publish(topic, payload, packet_id))

    def _topic(self, method: str) -> str:
        return f"star/cloudprnt/to-server/{words.colons(self.mac)}/{method}"

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % (SUBSCRIPTION - 1) + 1
            if self._last_id not in self._unacked:
                return self._last_id
