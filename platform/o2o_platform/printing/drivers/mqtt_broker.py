"""A dispatcher's connection to the MQTT broker: one for all its printers, made again after every loss (A14).

Decides:
- what a printer's trouble is known from. A printer tells changes by itself, and how it is every `POLLING_S`
  (client-status), and the broker tells that it is gone (client-will). One that was heard of within `TRUST_S` is taken
  at its last word, unless it has left a job unanswered since; one that is gone is left alone for `GONE_S`; any other is
  asked (request-client-status). After a lost connection nothing is known of any;
- that we publish nothing again on a new connection: a new client is made for each. The broker may deliver a job twice
  (QoS 1); the printer remembers its last 10 job tokens and does not print it again;
- that results which come while no dispatcher is connected wait at the broker: the session of a dispatcher with a name
  (`settings.mqtt_client`, or the only one) is kept there. Statuses and wills are subscribed at QoS 0, so that nothing
  of the past is queued beside the results.

A result is acknowledged to the broker when it is received, not when it is written: a process that dies between leaves
its ticket unconfirmed, as one does that dies with any other printer's answer in hand.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import aiomqtt

from o2o_domain.cloudprnt import offline_after_s
from o2o_domain.tickets import PrintOutcome
from o2o_platform.errors import PlatformError
from o2o_platform.kit.context import Context
from o2o_platform.printing.drivers import star_messages as star
from o2o_platform.printing.drivers.mqtt_settle import Settler
from o2o_platform.printing.drivers.star_messages import ClientStatus, ClientWill, PrintResult
from o2o_platform.printing.drivers.tcp9100 import within

log = logging.getLogger("o2o.platform.printing")

POLLING_S = 60
"""How often printers are wanted to say how they are, changed or not (cloudprnt-setting.json)."""
TRUST_S = offline_after_s(POLLING_S)
"""A printer that was heard of within this time is taken at its last word."""
GONE_S = 30.0
"""A printer whose will was said is asked again after this time: its return may have escaped us."""
KEEPALIVE_S = 15
ANSWER_S = 5.0
"""The broker acknowledges within this time (on the wall), or the connection is taken to be dead."""
FIRST_PAUSE_S, LAST_PAUSE_S = 0.05, 5.0
PROVEN_S = 5.0
"""A connection that has lasted so long was a good one: the next is tried after the first pause again."""
INFLIGHT = 200
"""Messages that wait for the broker's acknowledgement at most; others wait for them."""


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """mqtt://[user:password@]host[:port], or mqtts:// for TLS."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> BrokerUrl:
        """Raises PlatformError for what is none."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or port == -1 or parts.path.strip("/"):
            raise PlatformError(f"mqtt_url: mqtt://[user:password@]host[:port] is wanted, not {_shown(url)!r}")
        tls = parts.scheme == "mqtts"
        user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
        return cls(parts.hostname, port or (8883 if tls else 1883), tls, user, password)


@dataclass(slots=True)
class _Presence:
    """What is known of a printer."""

    status: ClientStatus | None
    """None: it is gone."""
    heard: float  # loop's clock


class Waiting(Protocol):
    """A printer for whose results somebody waits."""

    @property
    def mac(self) -> str: ...

    def answered(self, result: PrintResult) -> bool:
        """Take a result; False if nobody waits for it."""
        ...


class Broker:
    """The process's connection to its broker, and what came over it."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._url = BrokerUrl.parse(ctx.settings.mqtt_url)
        self._name = _name(ctx)
        self._client: aiomqtt.Client | None = None
        self._up = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._presence: dict[str, _Presence] = {}
        self._asked: dict[str, asyncio.Future[ClientStatus]] = {}
        self._printers: dict[str, Waiting] = {}
        self._settler: Settler | None = None
        self._figures = dict.fromkeys(("connections", "published", "results", "unclaimed", "ignored"), 0.0)

    async def start(self) -> None:
        """Connect, now or when the broker is there."""
        self._settler = Settler(self._ctx)
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._settler.run())]

    async def close(self) -> None:
        """Hang up; the broker keeps the session, if it has a name."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._settler is not None:
            await self._settler.close()

    @property
    def figures(self) -> dict[str, float]:
        """For the process's metrics."""
        return {**self._figures, "settled": 0.0 if self._settler is None else float(self._settler.settled)}

    @property
    def connected(self) -> bool:
        """Messages go both ways."""
        return self._client is not None

    async def wait_up(self, timeout_s: float) -> None:
        """Raises TimeoutError when there is no connection within `timeout_s` (on the wall)."""
        async with asyncio.timeout(timeout_s):
            await self._up.wait()

    # --- the connection ----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = self.now()
            try:
                await self._connected()
            except (aiomqtt.MqttError, OSError) as error:
                if self._client is not None or pause == FIRST_PAUSE_S:
                    log.warning("the MQTT broker is away: %s", error)
            except Exception:
                log.exception("the MQTT connection broke")
            finally:
                self._client = None
                self._up.clear()
                self._presence.clear()
            # One that ends at once may be somebody's of the same name, who takes the session from us and we from him.
            pause = FIRST_PAUSE_S if self.now() - began > PROVEN_S else min(pause * 2, LAST_PAUSE_S)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    async def _connected(self) -> None:
        """One connection, from its beginning to its end, which is an exception. A new client knows no old message."""
        url = self._url
        client = aiomqtt.Client(
            url.host,
            url.port,
            username=url.username,
            password=url.password,
            identifier=self._name,
            clean_session=self._name is None,
            keepalive=KEEPALIVE_S,
            timeout=ANSWER_S,
            max_inflight_messages=INFLIGHT,
            max_concurrent_outgoing_calls=INFLIGHT,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            tls_context=ssl.create_default_context() if url.tls else None,
        )
        client.pending_calls_threshold = INFLIGHT  # it warns of more
        async with client:
            await client.subscribe([(topic, star.QOS if topic.endswith(star.RESULT) else 0) for topic in star.HEARD])
            self._client = client
            self._up.set()
            self._figures["connections"] += 1
            async for message in client.messages:
                self._hear(str(message.topic), message.payload)

    def _hear(self, topic: str, payload: Any) -> None:
        try:
            said = star.read(topic, payload)
        except star.BadMessage as error:
            self._figures["ignored"] += 1
            log.info("MQTT: %s", error)
            return
        if isinstance(said, PrintResult):
            self._meet_result(said)
        elif isinstance(said, ClientWill):
            self._presence[said.mac] = _Presence(None, self.now())
            self._note(said.mac, "gone")
        else:
            self._presence[said.mac] = _Presence(said, self.now())
            self._note(said.mac, said.text)
            asked = self._asked.pop(said.mac, None)
            if asked is not None and not asked.done():
                asked.set_result(said)

    def _meet_result(self, result: PrintResult) -> None:
        self._figures["results"] += 1
        if not result.says:
            self._figures["ignored"] += 1
            return
        printer = self._printers.get(result.mac)
        if printer is None or not printer.answered(result):
            self._figures["unclaimed"] += 1
            if self._settler is not None:
                self._settler.add(result)

    def _note(self, mac: str, text: str) -> None:
        if self._settler is not None:
            self._settler.sign(mac, text)

    # --- for the printers' connections -------------------------------------------------------------------------------

    def add(self, printer: Waiting) -> None:
        """Results of this printer are its from now on."""
        self._printers[printer.mac] = printer

    def remove(self, printer: Waiting) -> None:
        if self._printers.get(printer.mac) is printer:
            del self._printers[printer.mac]

    async def publish(self, mac: str, method: str, payload: bytes) -> None:
        """Have the broker take a message. Raises OSError when it is not known to have it."""
        client = self._client
        if client is None:
            raise ConnectionResetError("the MQTT broker is away")
        try:
            await client.publish(star.topic(mac, method), payload, qos=star.QOS)
        except aiomqtt.MqttError as error:
            raise ConnectionResetError(f"the MQTT broker: {error}") from None
        self._figures["published"] += 1

    def now(self) -> float:
        """The loop's clock, for `trouble`."""
        return asyncio.get_running_loop().time()

    async def trouble(self, mac: str, timeout_s: float, since: float) -> PrintOutcome | None:
        """What keeps a printer from printing, None if nothing does. What it said before `since` does not count."""
        if self._client is None:
            return PrintOutcome.BROKEN_BEFORE_SEND
        known = self._presence.get(mac)
        if known is not None:
            age = self.now() - known.heard
            if known.status is None and age < GONE_S:
                return PrintOutcome.REFUSED
            if known.status is not None and age < TRUST_S and known.heard >= since:
                return known.status.trouble
        asked = self._asked.get(mac)
        if asked is None or asked.done():
            asked = self._asked[mac] = asyncio.get_running_loop().create_future()
        try:
            await self.publish(mac, "request-client-status", star.request_status())
            return (await within(self._ctx.clock, asked, timeout_s)).trouble
        except OSError:  # away, or silent
            return PrintOutcome.BROKEN_BEFORE_SEND
        finally:
            if self._asked.get(mac) is asked:
                del self._asked[mac]


def _name(ctx: Context) -> str | None:
    """The name of our session at the broker; None: it is not kept.

    Where one process does everything it is the only one with its database, and that gives it a name.
    """
    if ctx.settings.mqtt_client:
        return ctx.settings.mqtt_client
    if ctx.redis is not None:
        return None
    where = f"{os.getcwd()} {ctx.settings.database_url}"
    return f"o2o-{hashlib.blake2b(where.encode(), digest_size=8).hexdigest()}"


def _shown(url: str) -> str:
    """A URL without what may be secret in it."""
    return url.rpartition("@")[2][:80]
