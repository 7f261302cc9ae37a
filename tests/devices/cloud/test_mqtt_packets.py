"""MQTT 3.1.1 packets, byte by byte as the standard has them (A14)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_devices.cloud import mqtt_packets as packets
from o2o_devices.cloud.mqtt_packets import Connack, PacketError, Pong, Puback, Publish, Reader, Suback


def test_connect_with_a_will_and_credentials() -> None:
    """Section 3.1: user name, password, will at QoS 1, not retained, no clean session."""
    data = packets.connect("me", keepalive_s=10, will_topic="w", will=b"bye", clean=False, username="u", password="pw")
    head, fields = b"\x10\x1d\x00\x04MQTT\x04\xcc\x00\x0a", (b"me", b"w", b"bye", b"u", b"pw")
    assert data == head + b"".join(bytes([0, len(field)]) + field for field in fields)


def test_connect_with_a_clean_session_and_nobody() -> None:
    data = packets.connect("me", keepalive_s=60, will_topic="w", will=b"", clean=True)
    assert data[9] == 0x0E, "clean session and will at QoS 1"
    assert data.endswith(b"\x00\x02me\x00\x01w\x00\x00")


def test_subscribe_publish_puback() -> None:
    assert (
        packets.subscribe(10, "a/b", "c/d") == b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x01"
    )  # figure 3.23, QoS 1
    assert packets.publish("a/b", b"hi", 10) == b"\x32\x09\x00\x03a/b\x00\x0ahi"
    assert packets.publish("a/b", b"hi", 10, dup=True)[0] == 0x3A
    assert packets.puback(10) == b"\x40\x02\x00\x0a"


@pytest.mark.parametrize(
    ("size", "length"),
    [(120, b"\x7f"), (121, b"\x80\x01"), (16_376, b"\xff\x7f"), (16_377, b"\x80\x80\x01")],
)
def test_remaining_lengths_at_their_limits(size: int, length: bytes) -> None:
    """Table 2.4: 127, 128, 16383, 16384."""
    data = packets.publish("a/b", bytes(size), 10)
    assert data[1 : 1 + len(length)] == length
    (read,) = Reader().feed(data)
    assert read == Publish("a/b", bytes(size), 10, False)


def test_what_a_server_sends() -> None:
    sent = {
        b"\x20\x02\x01\x00": Connack(True, 0),
        b"\x90\x03\x00\x0a\x01": Suback(10, b"\x01"),
        b"\x40\x02\x00\x0b": Puback(11),
        b"\xd0\x00": Pong(),
        b"\x3a\x07\x00\x01t\x00\x05hi": Publish("t", b"hi", 5, True),
        b"\x30\x05\x00\x01thi": Publish("t", b"hi", 0, False),
    }
    assert Reader().feed(b"".join(sent)) == list(sent.values())


@pytest.mark.parametrize(
    "data",
    [
        b"\x34\x07\x00\x01t\x00\x05hi",  # QoS 2
        b"\x32\x07\x00\x01t\x00\x00hi",  # no packet identifier
        b"\x32\x02\x00\x09",  # shorter than its topic
        b"\x32\x05\x00\x01\xff\x00\x01",  # a topic that is not UTF-8
        b"\x10\x00",  # a client's packet
        b"\x20\x01\x00",
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x30\xff\xff\xff\x7f",  # 256 MB
    ],
)
def test_what_no_server_may_send(data: bytes) -> None:
    with pytest.raises(PacketError):
        Reader().feed(data)


_PUBLISHES = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8"), max_size=20), st.binary(max_size=300), st.integers(1, 65_535))
)


@given(_PUBLISHES, st.data())
def test_packets_may_be_cut_anywhere(messages: list[tuple[str, bytes, int]], data: st.DataObject) -> None:
    stream = b"".join(packets.publish(*message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader, read = Reader(), []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += reader.feed(stream[begin:end])
    assert read == [Publish(*message, False) for message in messages]


@given(st.binary(max_size=200))
def test_rubbish_is_refused_or_waited_for(data: bytes) -> None:
    with contextlib.suppress(PacketError):
        Reader().feed(data)
