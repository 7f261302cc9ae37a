"""Addresses of printers (A14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.printers import KINDS, PrinterAddress, printer_address, tcp_url
from o2o_domain.refusal import Refused


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("tcp://127.0.0.1:9100", "tcp://127.0.0.1:9100"),
        ("tcp://[::1]:9100", "tcp://[::1]:9100"),
        ("cloudprnt://00:11:62:AA:BB:CC", "cloudprnt://001162aabbcc"),
        ("cloudprnt-mqtt://00-11-62-aa-bb-cc", "cloudprnt-mqtt://001162aabbcc"),
        ("epson://shop-17", "epson://shop-17"),
        ("feie://316500010", "feie://316500010"),
        ("yilianyun://4004512345", "yilianyun://4004512345"),
        ("app://counter_1", "app://counter_1"),
    ],
)
def test_an_address_is_kept_in_one_form(text: str, kept: str) -> None:
    address = printer_address(text)
    assert isinstance(address, PrinterAddress)
    assert address.url == kept
    assert printer_address(kept) == address
    assert address.capabilities is KINDS[kept.partition("://")[0]]


@pytest.mark.parametrize(
    "text",
    ["", "tcp", "tcp://", "tcp://host", "tcp://host:0", "tcp://host:65536", "tcp://a b:9100", "tcp://u@h:1", "tcp://h:1?x",
     "http://host:1", "cloudprnt://00116", "cloudprnt://001162aabbcg", "epson://", "epson://a/b", "epson://a b",
     "app://" + "x" * 65, "feie://" + "1" * 300],
)  # fmt: skip
def test_what_is_none_is_refused_with_what_is_wanted(text: str) -> None:
    refused = printer_address(text)
    assert isinstance(refused, Refused)
    assert refused.code == "bad_printer_url"
    assert refused.detail


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    found = printer_address(text)
    assert isinstance(found, Refused) or printer_address(found.url) == found


@given(st.ip_addresses(), st.integers(1, 65535))
def test_host_and_port_make_an_address(host: object, port: int) -> None:
    address = printer_address(tcp_url(str(host), port))
    assert isinstance(address, PrinterAddress)
    assert (address.host, address.port) == (str(host), port)
