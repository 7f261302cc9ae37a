"""One connection of a printer to its MQTT broker: CONNECT with a last will, SUBSCRIBE, keep-alive (A14).

Decides when a connection is up (the subscription is granted) and when it is dead: the broker closes it, breaks the
protocol, refuses us, or does not answer a ping. What messages mean, and what is sent again on the next connection, is
the owner's. An idle one is an open socket, this object and one timer.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple, Protocol, cast

from o2o_devices.cloud import mqtt_packets as packets
from o2o_devices.cloud.mqtt_packets import Connack, Packet, PacketError, Puback, Publish, Reader, Suback

SUBSCRIPTION = 0xFFFF
"""Packet identifier of the one SUBSCRIBE; an owner does not use it."""
_REFUSED = 128
END_S = 1.0
"""A broker that has not closed so long after DISCONNECT is left all the same."""
_PING_AFTER = 0.75
"""Of the keep-alive time: the broker gives up after one and a half of it (section 3.1.2.10)."""


class Account(NamedTuple):
    """Where the broker is, and who we are there."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = None
    tls: bool = False


class Owner(Protocol):
    """Who has the connection."""

    def link_rate(self) -> float | None:
        """Bytes a second that the link carries now; None: as much as comes."""

    def line_up(self, line: Line) -> None:
        """Messages go both ways from now on."""

    def line_message(self, line: Line, message: Publish) -> None:
        """A message came. Whether it is acknowledged is the owner's to say."""

    def line_acked(self, packet_id: int) -> None:
        """The broker has a message of ours."""

    def line_down(self, line: Line) -> None:
        """The connection is over; called once."""


class Line(asyncio.Protocol):
    """See the module. `connected` packet and filter are sent as soon as the socket is open."""

    __slots__ = (
        "_filter",
        "_first",
        "_gone",
        "_heard",
        "_keepalive_s",
        "_owner",
        "_reader",
        "_slow",
        "_timer",
        "_transport",
        "up",
    )

    def __init__(self, owner: Owner, first: bytes, topic_filter: str, keepalive_s: int) -> None:
        self._owner = owner
        self._first = first
        self._filter = topic_filter
        self._keepalive_s = keepalive_s
        self._reader = Reader()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = True
        self._gone: asyncio.Future[None] | None = None  # somebody waits for the end
        self._slow: list[bytes] | None = None  # what a slow link still carries
        self.up = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._transport.write(self._first)
        self._first = b""
        self._beat()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        rate = self._owner.link_rate()
        if rate is None and self._slow is None:
            self._take(data)
        elif self._slow is None and rate is not None:
            self._slow = [data]
            self._pass_later(rate)
        elif self._slow is not None:
            self._slow.append(data)

    def _pass_later(self, rate: float) -> None:
        assert self._transport is not None
        assert self._slow is not None
        self._transport.pause_reading()
        asyncio.get_running_loop().call_later(sum(map(len, self._slow)) / rate, self._pass)

    def _pass(self) -> None:
        """The slow link has brought what was on its way."""
        held, self._slow = b"".join(self._slow or ()), None
        if self._transport is not None:
            self._transport.resume_reading()
            self._take(held)

    def _take(self, data: bytes) -> None:
        try:
            for packet in self._reader.feed(data):
                self._meet(packet)
                if self._transport is None:
                    return
        except PacketError:
            self.abort()

    def _meet(self, packet: Packet) -> None:
        if isinstance(packet, Publish):
            self._owner.line_message(self, packet)
        elif isinstance(packet, Puback):
            self._owner.line_acked(packet.packet_id)
        elif isinstance(packet, Connack):
            if packet.code:
                raise PacketError(f"the broker refuses us with code {packet.code}")
            self.send(packets.subscribe(SUBSCRIPTION, self._filter))
        elif isinstance(packet, Suback):
            if packet.codes[:1] == bytes([_REFUSED]):
                raise PacketError("the broker refuses the subscription")
            self.up = True
            self._owner.line_up(self)

    def send(self, data: bytes) -> None:
        """Write a packet; nothing happens on a connection that is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def end(self) -> None:
        """DISCONNECT: the broker drops the will, and closes. Who closed first might reset what it has not read yet."""
        if self._transport is not None:
            self._gone = asyncio.get_running_loop().create_future()
            self.send(packets.DISCONNECT)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone, END_S)
        self.abort()

    def abort(self) -> None:
        """Reset: the broker says the will."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.up = False
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner.line_down(self)

    def _beat(self) -> None:
        """Ping, unless the last one was not answered."""
        if not self._heard:
            self.abort()
            return
        self._heard = False
        if self.up:
            self.send(packets.PING)
        self._timer = asyncio.get_running_loop().call_later(self._keepalive_s * _PING_AFTER, self._beat)
