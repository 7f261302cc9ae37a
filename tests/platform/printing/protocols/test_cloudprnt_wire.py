"""Messages of CloudPRNT: whatever a client sends is a poll or is refused (A14)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.cloudprnt import Health
from o2o_platform.printing.protocols.cloudprnt_wire import (
    ASKED,
    NotUnderstood,
    credentials,
    device,
    mac_of,
    questions,
    read_poll,
)

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(("statusCode", "printerMAC", "jobToken", "clientAction", "printingInProgress", "status"))


@given(st.binary(max_size=80) | st.dictionaries(FIELDS, JSON, max_size=6).map(lambda body: json.dumps(body).encode()))
def test_a_poll_or_a_refusal_and_nothing_else(body: bytes) -> None:
    try:
        poll = read_poll(body)
    except NotUnderstood:
        return
    assert "statusCode" in json.loads(body)
    assert poll.mac is None or mac_of(poll.mac) == poll.mac
    assert len(poll.text) <= 64
    assert "\0" not in poll.text
    json.dumps(device(poll.answers))


def test_a_poll_as_printers_send_it() -> None:
    body = {
        "status": "23 86 00 00 00 00 00 00 00 00 00",
        "printerMAC": "00:11:62:0D:0E:0F",
        "uniqueID": None,
        "statusCode": "200%20OK",
        "jobToken": None,
        "printingInProgress": False,
        "clientAction": [
            {"request": "ClientType", "result": "Star mC-Print3"},
            {"request": "GetPollInterval", "result": 5},
            {"request": "SetID", "result": "nobody asked"},
        ],
    }
    poll = read_poll(json.dumps(body).encode())
    assert (poll.mac, poll.told.health, poll.text, poll.token) == ("0011620d0e0f", Health.ONLINE, "200 OK", None)
    assert poll.answers == {"ClientType": "Star mC-Print3", "GetPollInterval": "5"}
    assert device(poll.answers) == {**poll.answers, "interval_s": 5.0}


@pytest.mark.parametrize("said", ["", "x", "0", "-5", "nan", "inf", "1e9"])
def test_an_interval_that_makes_no_sense_is_kept_and_not_believed(said: str) -> None:
    assert device({"GetPollInterval": said}) == {"GetPollInterval": said}


def test_what_is_asked() -> None:
    asked = json.loads(questions())
    assert asked["jobReady"] is False
    assert [one["request"] for one in asked["clientAction"]] == list(ASKED)


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("001162aabbcc", "001162aabbcc"),
        ("00:11:62:AA:BB:CC", "001162aabbcc"),
        ("00-11-62-aa-bb-cc", "001162aabbcc"),
        ("001162aabbc", None),
        ("001162aabbccd", None),
        ("001162aabbcg", None),
        ("٠٠1162aabbcc", None),
        ("", None),
        (None, None),
    ],
)
def test_macs(text: str | None, mac: str | None) -> None:
    assert mac_of(text) == mac


@given(st.text(max_size=30), st.text(max_size=30))
def test_credentials_come_back(user: str, password: str) -> None:
    user = user.replace(":", "")
    header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    assert credentials(header) == (user, password)


@given(st.text(max_size=30))
def test_other_headers_are_none(text: str) -> None:
    credentials(f"Basic {text}")  # whatever it is, no exception
    assert credentials(f"Digest {text}") is None
    assert credentials(None) is None
