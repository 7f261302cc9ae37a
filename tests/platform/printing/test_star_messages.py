"""Messages of CloudPRNT over MQTT, by the text of Star's protocol guide 2.4.0 (A14)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from o2o_domain.tickets import PrintOutcome
from o2o_platform.printing.drivers import star_messages as star

MAC = "00112233aabb"
TO_SERVER = "star/cloudprnt/to-server/00:11:22:33:aa:bb"


def read(method: str, **fields: Any) -> Any:
    return star.read(f"{TO_SERVER}/{method}", json.dumps({"title": method, **fields}))


def test_topics_name_the_mac_with_colons() -> None:
    assert star.topic(MAC, "print-job") == "star/cloudprnt/to-device/00:11:22:33:aa:bb/print-job"
    assert set(star.HEARD) == {
        "star/cloudprnt/to-server/+/client-status",
        "star/cloudprnt/to-server/+/print-result",
        "star/cloudprnt/to-server/+/client-will",
    }


def test_a_job_carries_its_data_in_base64() -> None:
    job = json.loads(star.print_job("o2o-7", "application/vnd.star.starprnt", b"\x1bE\xff\x00"))
    assert job.pop("printData") == base64.b64encode(b"\x1bE\xff\x00").decode()
    assert job == {
        "title": "print-job",
        "jobToken": "o2o-7",
        "jobType": "raw",
        "mediaTypes": ["application/vnd.star.starprnt"],
    }


def test_a_text_is_text_and_cut_by_the_printer() -> None:
    job = json.loads(star.print_job("o2o-7", "text/plain", "宫保鸡丁 ￥18".encode()))
    assert job["printData"] == "宫保鸡丁 ￥18"
    assert job["printerControl"] == {"cutter": {"type": "full", "feed": True}}


def test_a_request_is_its_title() -> None:
    assert json.loads(star.request_status()) == {"title": "request-client-status"}


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        ("200%20OK", None),
        ("200 OK", None),
        ("211%20Paper%20low", None),
        ("410%20Out%20of%20paper", PrintOutcome.PAPER_END),
        ("411", PrintOutcome.PAPER_END),
        ("420%20Cover%20open", PrintOutcome.COVER_OPEN),
        ("400", PrintOutcome.ERROR),
        ("4991", PrintOutcome.ERROR),
        ("520", PrintOutcome.ERROR),
        (None, None),
        ("", None),
        (210, None),
    ],
)
def test_status_codes_by_their_class(code: Any, trouble: PrintOutcome | None) -> None:
    told = read("client-status", statusCode=code, printingInProgress=False, printerMAC="00:11:22:33:aa:bb")
    assert isinstance(told, star.ClientStatus)
    assert (told.mac, told.trouble) == (MAC, trouble)


def test_a_result() -> None:
    told = read("print-result", jobToken="o2o-7", printSucceeded=True, statusCode="200%20OK")
    assert (told.mac, told.token, told.ok, told.says) == (MAC, "o2o-7", True, True)


@pytest.mark.parametrize(
    ("code", "says", "failure"),
    [
        ("410", True, "paper_end"),
        ("420%20Cover%20open", True, "cover_open"),
        ("511", True, "decode_error"),
        ("500", True, "star_500"),
        ("499", True, "star_499"),
        (None, True, "star_unknown"),
        ("530", False, "star_530"),  # a token that was met before: nothing about the first job
        ("5990", False, "star_5990"),
    ],
)
def test_a_failed_result_is_believed_as_far_as_it_says_something(code: Any, says: bool, failure: str) -> None:
    told = read("print-result", jobToken="o2o-7", printSucceeded=False, statusCode=code)
    assert (told.ok, told.says, told.failure) == (False, says, failure)


def test_a_will() -> None:
    assert read("client-will", unintentionalDisconnection=True) == star.ClientWill(MAC)


@pytest.mark.parametrize("mac", ["001122-33AABB", "00.11.22.33.aa.bb", "00112233AABB"])
def test_macs_as_servers_have_met_them(mac: str) -> None:
    mac = mac.replace("-", "")
    assert star.read(f"star/cloudprnt/to-server/{mac}/client-will", "{}") == star.ClientWill(MAC)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (f"{TO_SERVER}/client-status", b"\xff"),
        (f"{TO_SERVER}/client-status", b"[]"),
        (f"{TO_SERVER}/client-status", b"{"),
        (f"{TO_SERVER}/print-result", b"{}"),
        (f"{TO_SERVER}/print-result", b'{"jobToken": 7, "printSucceeded": true}'),
        (f"{TO_SERVER}/print-result", b'{"jobToken": "o2o-7", "printSucceeded": "yes"}'),
        (f"{TO_SERVER}/something-else", b"{}"),
        ("star/cloudprnt/to-server/nobody/client-status", b"{}"),
        ("star/cloudprnt/to-device/00:11:22:33:aa:bb/client-status", b"{}"),
    ],
)
def test_what_is_no_message(topic: str, payload: bytes) -> None:
    with pytest.raises(star.BadMessage):
        star.read(topic, payload)
