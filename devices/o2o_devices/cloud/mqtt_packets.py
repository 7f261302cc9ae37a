"""MQTT 3.1.1 as a printer's firmware speaks it: packets to bytes and back, without a socket (A14).

Source: OASIS "MQTT Version 3.1.1" (29 October 2014); section numbers stand where a rule comes from. Decides the subset:
what a client sends and receives at QoS 0 and 1. Others break the connection (`PacketError`), as section 4.8 wants it.

An own codec, because ten thousand printers live in one process: a client library's client costs a thread's locks, two
sockets and some ten kilobytes each, and none can be made to keep an acknowledgement back.
"""

from __future__ import annotations

from typing import NamedTuple

from o2o_devices.errors import DeviceError

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGRESP = 1, 2, 3, 4, 8, 9, 13
PING = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
MAX_BYTES = 4 << 20
"""A larger packet is refused; tickets have some kilobytes."""
_DUP, _QOS1 = 0x08, 0x02
_USER, _PASSWORD, _WILL, _CLEAN = 0x80, 0x40, 0x04, 0x02


class PacketError(DeviceError):
    """Not what MQTT 3.1.1 allows a server to send to us."""


class Connack(NamedTuple):
    """Section 3.2. `code` 0: accepted."""

    session_present: bool
    code: int


class Publish(NamedTuple):
    """Section 3.3. `packet_id` 0 at QoS 0."""

    topic: str
    payload: bytes
    packet_id: int
    dup: bool


class Puback(NamedTuple):
    """Section 3.4."""

    packet_id: int


class Suback(NamedTuple):
    """Section 3.9. `codes`: the QoS granted to each filter, 128: refused."""

    packet_id: int
    codes: bytes


class Pong(NamedTuple):
    """Section 3.13."""


Packet = Connack | Publish | Puback | Suback | Pong


def connect(
    client_id: str,
    *,
    keepalive_s: int,
    will_topic: str,
    will: bytes,
    clean: bool,
    username: str | None = None,
    password: str | None = None,
) -> bytes:
    """Section 3.1, with a last will at QoS 1, not retained."""
    flags = _WILL | (1 << 3) | (_CLEAN if clean else 0)
    tail = _text(client_id) + _text(will_topic) + _binary(will)
    if username is not None:
        flags |= _USER
        tail += _text(username)
        if password is not None:
            flags |= _PASSWORD
            tail += _text(password)
    return _packet(CONNECT << 4, _text("MQTT") + b"\x04" + bytes([flags]) + keepalive_s.to_bytes(2, "big") + tail)


def publish(topic: str, payload: bytes, packet_id: int, *, dup: bool = False) -> bytes:
    """Section 3.3, at QoS 1, not retained."""
    first = PUBLISH << 4 | _QOS1 | (_DUP if dup else 0)
    return _packet(first, _text(topic) + packet_id.to_bytes(2, "big") + payload)


def puback(packet_id: int) -> bytes:
    """Section 3.4."""
    return _packet(PUBACK << 4, packet_id.to_bytes(2, "big"))


def subscribe(packet_id: int, *filters: str) -> bytes:
    """Section 3.8, at QoS 1."""
    return _packet(SUBSCRIBE << 4 | 2, packet_id.to_bytes(2, "big") + b"".join(_text(one) + b"\x01" for one in filters))


class Reader:
    """Bytes in, packets out, cut anywhere. Holds what is left of an unfinished packet, else nothing."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are complete with this. Raises PacketError; nothing more can be read after that."""
        data, at, found = self._held + data if self._held else data, 0, []
        while (size := _size(data, at)) is not None:
            begin, end = size
            if end > len(data):
                break
            found.append(_read(data[at], data[begin:end]))
            at = end
        self._held = data[at:]
        return found


def _size(data: bytes, at: int) -> tuple[int, int] | None:
    """(begin, end) of the packet's body (section 2.2.3); None: its length is not known yet."""
    length, shift, place = 0, 0, at + 1
    while place < len(data):
        byte = data[place]
        place += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            if length > MAX_BYTES:
                raise PacketError(f"a packet of {length} bytes")
            return place, place + length
        shift += 7
        if shift > 21:
            raise PacketError("a remaining length of more than four bytes")
    return None


def _read(first: int, body: bytes) -> Packet:
    kind, flags = first >> 4, first & 0x0F
    try:
        if kind == PUBLISH:
            return _read_publish(flags, body)
        if kind == PUBACK and not flags and len(body) == 2:
            return Puback(int.from_bytes(body, "big"))
        if kind == CONNACK and not flags and len(body) == 2:
            return Connack(bool(body[0] & 1), body[1])
        if kind == SUBACK and not flags and len(body) >= 3:
            return Suback(int.from_bytes(body[:2], "big"), body[2:])
        if kind == PINGRESP and not flags and not body:
            return Pong()
    except UnicodeDecodeError:
        raise PacketError("a topic that is not UTF-8") from None
    raise PacketError(f"packet type {kind} with flags {flags:#x} and {len(body)} bytes")


def _read_publish(flags: int, body: bytes) -> Publish:
    qos = flags >> 1 & 3
    size = int.from_bytes(body[:2], "big")
    at = 2 + size + (2 if qos else 0)
    if qos > 1 or len(body) < at:
        raise PacketError("a PUBLISH at QoS 2, or too short")
    packet_id = int.from_bytes(body[2 + size : at], "big") if qos else 0
    if qos and not packet_id:
        raise PacketError("a PUBLISH at QoS 1 without a packet identifier")
    return Publish(body[2 : 2 + size].decode(), body[at:], packet_id, bool(flags & _DUP))


def _packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray([first])
    while True:
        length, low = length >> 7, length & 0x7F
        head.append(low | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise PacketError("a field of more than 65535 bytes")
    return len(data).to_bytes(2, "big") + data
