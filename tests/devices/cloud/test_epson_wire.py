"""An Epson printer's words against the manuals' own examples (A14). Sources stand in `epson_wire.py`."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_devices.cloud import epson_wire as wire
from o2o_devices.cloud.epson_wire import Foreign, RefusedWhole, Result
from o2o_devices.escpos.status import Status

FINE = Status(True, False, False, False, error=False, overheated=False)
PRINT = '<epos-print xmlns="http://www.epson-pos.com/schemas/2011/03/epos-print"><text>x</text></epos-print>'
ONE = (
    "<ePOSPrint><Parameter><devid>local_printer</devid><timeout>10000</timeout><printjobid>ABC123</printjobid>"
    f"</Parameter><PrintData>{PRINT}</PrintData></ePOSPrint>"
)


def request(inner: str = ONE, version: str = ' Version="2.00"') -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>\n<PrintRequestInfo{version}>{inner}</PrintRequestInfo>'.encode()


def test_jobs_as_the_manual_has_them() -> None:
    """TM-DT page 40: two print requests in one answer."""
    answer = wire.read(request(ONE + ONE.replace("ABC123", "ABC124").replace("10000", "60000")))
    assert answer.version == "2.00"
    assert [(job.device, job.token, job.timeout_s) for job in answer.jobs] == [
        ("local_printer", "ABC123", 10.0),
        ("local_printer", "ABC124", 60.0),
    ]
    assert all(job.document is not None for job in answer.jobs)


def test_without_a_version_it_is_the_first() -> None:
    """TM-DT page 39; jobs have no id then."""
    answer = wire.read(request(ONE.replace("<printjobid>ABC123</printjobid>", ""), ""))
    assert (answer.version, answer.jobs[0].token) == ("1.00", "")


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_no_body_is_no_job(body: bytes) -> None:
    assert wire.read(body).jobs == ()


def test_a_job_without_data_asks_for_an_earlier_result() -> None:
    assert wire.read(request(ONE.replace(PRINT, ""))).jobs[0].document is None


@pytest.mark.parametrize(
    "body",
    [
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        + ONE.encode()
        + b"</s:Body></s:Envelope>",
        PRINT.encode(),
        b"<html><body>404</body></html>",
        request(version=' Version="9.00"'),
        request().replace(b"<PrintRequestInfo", b'<PrintRequestInfo xmlns="urn:x"'),
    ],
)
def test_answers_in_another_wrapping_are_foreign(body: bytes) -> None:
    with pytest.raises(Foreign):
        wire.read(body)


@pytest.mark.parametrize(
    ("body", "summary", "detail"),
    [
        (b"<PrintRequestInfo>" + b" " * wire.MAX_BYTES, "Data size is exceeded", "Too big print request"),
        (request("<ePOSPrint/>" * 5001), "Data size is exceeded", "Too many job requests"),
        (b"<PrintRequestInfo>", "Invalid XML format", ""),
        (b"Not Found", "Invalid XML format", ""),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + request()[39:], "Invalid XML format", "a DOCTYPE"),
    ],
)
def test_answers_that_are_refused_as_a_whole(body: bytes, summary: str, detail: str) -> None:
    """TM-DT page 53, word by word."""
    with pytest.raises(RefusedWhole) as refused:
        wire.read(body)
    assert refused.value.summary == summary
    assert detail in refused.value.detail
    assert f"<ErrorSummary>{summary}</ErrorSummary>" in wire.refusal(refused.value)


def test_as_many_jobs_as_there_may_be() -> None:
    assert len(wire.read(request("<ePOSPrint/>" * 5000)).jobs) == 5000


@pytest.mark.parametrize("change", [("10000", "soon"), ("10000", "-1"), ("ABC123", "A B"), ("ABC123", "A" * 31)])
def test_parameters_that_make_no_sense_have_nothing_that_could_be_printed(change: tuple[str, str]) -> None:
    (job,) = wire.read(request(ONE.replace(*change))).jobs
    assert job.document is not None
    assert job.document.tag == "nonsense"


def test_results_as_the_manual_has_them() -> None:
    """TM-DT pages 49 and 50."""
    said = [Result("local_printer", "ABC123", True, "", 251658262)]
    response = (
        '<response xmlns="http://www.epson-pos.com/schemas/2011/03/epos-print" success="true" code="" '
        'status="251658262" battery="0"/>'
    )
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    named = "<ePOSPrint><Parameter><devid>local_printer</devid><printjobid>ABC123</printjobid></Parameter>"
    two = f"{named}<PrintResponse>{response}</PrintResponse></ePOSPrint></PrintResponseInfo>"
    assert wire.results("1.00", said) == f'{head}<PrintResponseInfo Version="1.00">{response}</PrintResponseInfo>'
    assert wire.results("2.00", said) == f'{head}<PrintResponseInfo Version="2.00">{two}'
    whole = '<ServerDirectPrint><Response Success="true"/></ServerDirectPrint>'
    assert wire.results("3.00", said) == f'{head}<PrintResponseInfo Version="3.00">{whole}{two}'


def test_forms_come_back_whole() -> None:
    body = wire.form("SetResponse", "shop-17", ResponseFile=wire.results("2.00", []))
    assert parse_qs(body.decode()) == {
        "ConnectionType": ["SetResponse"],
        "ID": ["shop-17"],
        "ResponseFile": [wire.results("2.00", [])],
    }
    assert wire.form("GetRequest", "") == b"ConnectionType=GetRequest&ID="


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (FINE, 0x0F000014),
        (FINE._replace(near_end=True), 0x0F030014),  # with success it is the manual's 251854870
        (FINE._replace(cover_open=True), 0x0F00003C),  # the manual's notification
        (FINE._replace(near_end=True, paper_end=True), 0x0F0F001C),
        (FINE._replace(online=False), 0x0F00001C),
    ],
)
def test_status_words(status: Status, word: int) -> None:
    assert wire.status_word(status) == word
    assert f'asbstatus="0x{word:08X}"' in wire.notification(word)
    assert 0x0F030014 | wire.PRINTED == 251854870


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: request(text))))
def test_whatever_a_server_answers_it_is_read_dropped_or_refused(body: bytes) -> None:
    with suppress(Foreign, RefusedWhole):
        assert wire.read(body).jobs == ()
