"""The messages of Server Direct Print against the manuals' own examples (A14). Sources stand in `epson_wire.py`."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode
from xml.etree import ElementTree as Tree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_platform.errors import Unprocessable
from o2o_platform.printing.protocols.epson_wire import Result, form, print_request, report, statuses

SUCCESS_2 = (  # TM-DT page 50, its tags closed
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<PrintResponseInfo Version="2.00">\n<ePOSPrint>\n<Parameter>\n<devid>local_printer</devid>\n'
    "<printjobid>ABC123</printjobid>\n</Parameter>\n<PrintResponse>\n"
    '<response xmlns="http://www.epson-pos.com/schemas/2011/03/epos-print" success="true" code="" '
    'status="251854870" battery="0"/>\n</PrintResponse>\n</ePOSPrint>\n</PrintResponseInfo>'
)
FAILURE_2 = SUCCESS_2.replace(
    'success="true" code="" status="251854870"', 'success="false" code="EX_BADPORT" status="1"'
)
SUCCESS_1 = (  # page 50
    '<?xml version="1.0" encoding="utf-8"?><PrintResponseInfo Version="1.00">'
    '<response xmlns="http://www.epson-pos.com/schemas/2011/03/epos-print" success="true" code="" '
    'status="251854870" battery="0"/></PrintResponseInfo>'
)
SUCCESS_3 = (  # page 49: the printer has printed, the customer's display has not shown
    '<?xml version="1.0" encoding="UTF-8"?><PrintResponseInfo Version="3.00"><ServerDirectPrint>'
    '<Response Success="true"/></ServerDirectPrint><ePOSPrint><Parameter><devid>local_printer</devid>'
    "<printjobid>ABC123</printjobid></Parameter><PrintResponse>"
    '<response xmlns="http://www.epson-pos.com/schemas/2011/03/epos-print" success="true" code="" status="251658262" '
    'battery="0"/></PrintResponse></ePOSPrint><ePOSDisplay><Parameter><devid>local_display</devid>'
    "<printjobid>ABC456</printjobid></Parameter><DisplayResponse>"
    '<response xmlns="http://www.epson-pos.com/schemas/2012/09/epos-display" success="false" code="EDSP_NOT_FOUND" '
    'status="0"/></DisplayResponse></ePOSDisplay></PrintResponseInfo>'
)
REFUSED_3 = (  # page 53
    '<?xml version="1.0" encoding="utf-8"?><PrintResponseInfo Version="3.00"><ServerDirectPrint>'
    '<Response Success="false"><ErrorSummary>Invalid XML format</ErrorSummary>'
    "<ErrorDetail>Entity: line 99: parser error : expected &apos;&gt;&apos; </ErrorDetail>"
    "</Response></ServerDirectPrint></PrintResponseInfo>"
)
STATUS = (  # TM-T88V-DT page 47
    '<?xml version="1.0" encoding="utf-8"?>\n<statusmonitor Version="1.00">\n'
    '<printerstatus devicename="kitchen_printer" asbstatus = "0x00000001"/>\n'
    '<printerstatus devicename="kitchen_printer2" asbstatus = "0x00000001"/>\n'
    '<printerstatus devicename="local_printer" asbstatus = "0x0F00003C"/>\n</statusmonitor>'
)


def test_every_byte_of_a_job() -> None:
    assert print_request("ABC123", b"<epos-print/>", 10_000) == (
        b'<?xml version="1.0" encoding="utf-8"?>\n'
        b'<PrintRequestInfo Version="2.00"><ePOSPrint><Parameter><devid>local_printer</devid><timeout>10000</timeout>'
        b"<printjobid>ABC123</printjobid></Parameter><PrintData><epos-print/></PrintData></ePOSPrint>"
        b"</PrintRequestInfo>\n"
    )


def test_a_job_is_never_wrapped_in_soap() -> None:
    root = Tree.fromstring(print_request("o2o-1", b"<epos-print/>", 1))
    assert root.tag == "PrintRequestInfo"
    assert [child.tag for child in root] == ["ePOSPrint"]


@pytest.mark.parametrize("token", ["", "a" * 31, "a b", "a/b", "<a>", "a\n"])
def test_a_printjobid_has_1_to_30_letters_digits_and_three_marks(token: str) -> None:
    with pytest.raises(ValueError, match="printjobid"):
        print_request(token, b"", 1)


@pytest.mark.parametrize(
    ("text", "results"),
    [
        (SUCCESS_2, (Result("ABC123", True, "", 251854870),)),
        (FAILURE_2, (Result("ABC123", False, "EX_BADPORT", 1),)),
        (SUCCESS_1, (Result("", True, "", 251854870),)),
        (SUCCESS_3, (Result("ABC123", True, "", 251658262),)),
    ],
)
def test_results_in_three_versions(text: str, results: tuple[Result, ...]) -> None:
    found = report(text)
    assert found.results == results
    assert found.refused == ""


def test_an_answer_that_the_printer_could_not_take() -> None:
    found = report(REFUSED_3)
    assert found.results == ()
    assert found.refused == "Invalid XML format: Entity: line 99: parser error : expected '>'"


def test_results_of_several_jobs_come_in_order() -> None:
    job = SUCCESS_2[SUCCESS_2.index("<ePOSPrint>") : SUCCESS_2.index("</PrintResponseInfo>")]
    two = SUCCESS_2.replace("</PrintResponseInfo>", job.replace("ABC123", "ABC124") + "</PrintResponseInfo>")
    assert [result.token for result in report(two).results] == ["ABC123", "ABC124"]


def test_status_words_of_all_printers_of_a_notification() -> None:
    assert statuses(STATUS) == {"kitchen_printer": 1, "kitchen_printer2": 1, "local_printer": 0x0F00003C}


@pytest.mark.parametrize("word", ["", "0x", "-1", "0x1FFFFFFFF0", "99999999999", "zero", "0b1"])
def test_a_status_word_that_is_none(word: str) -> None:
    assert statuses(STATUS.replace("0x0F00003C", word)) == {"kitchen_printer": 1, "kitchen_printer2": 1}
    assert report(SUCCESS_2.replace("251854870", word)).results[0].status is None


def test_forms_as_printers_send_them() -> None:
    assert form(b"ConnectionType=GetRequest&ID=shop-1") == ("GetRequest", "shop-1", "")
    assert form(b"ConnectionType=GetRequest&ID=") == ("GetRequest", "", "")
    told = urlencode({"ConnectionType": "SetResponse", "ID": "shop-1", "ResponseFile": SUCCESS_2})
    assert form(told.encode()) == ("SetResponse", "shop-1", SUCCESS_2)
    told = urlencode({"ConnectionType": "SetStatus", "ID": "", "Status": STATUS, "Name": "kitchen"})
    assert form(told.encode()) == ("SetStatus", "", STATUS)
    assert form(b"") == ("", "", "")


@pytest.mark.parametrize("body", [b"\xff=1", b"ID=%ff", b"a=1&" * 40, b"ID=" + b"1" * 70_000])
def test_a_body_that_is_no_form(body: bytes) -> None:
    with pytest.raises(Unprocessable):
        form(body)


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]>"
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB + "<PrintResponseInfo>&j;</PrintResponseInfo>",
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><PrintResponseInfo/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><PrintResponseInfo>&x;</PrintResponseInfo>',
        "<PrintResponseInfo>&undeclared;</PrintResponseInfo>",
        "<PrintResponseInfo>",
        "",
        "not xml",
        "<PrintResponseInfo>\x00</PrintResponseInfo>",
        "<a>" * 20_000,
        "<PrintResponseInfo>" + " " * 33_000 + "</PrintResponseInfo>",
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body/></s:Envelope>",
    ],
)
def test_xml_that_is_not_read(text: str) -> None:
    for read in (report, statuses):
        with pytest.raises(Unprocessable):
            read(text)  # type: ignore[operator]


def test_what_a_document_says_of_its_encoding_does_not_count() -> None:
    assert report(SUCCESS_2.replace("utf-8", "utf-16")).results[0].token == "ABC123"


def test_a_report_of_very_many_jobs_is_cut() -> None:
    assert len(report("<PrintResponseInfo>" + "<response/>" * 2000 + "</PrintResponseInfo>").results) == 100


PIECES = st.sampled_from(
    ["<PrintResponseInfo>", "</PrintResponseInfo>", "<ePOSPrint>", "<response success='true'/>", "&#0;"]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=12).map("".join))
def test_whatever_comes_it_is_read_or_refused(text: str) -> None:
    for read in (report, statuses):
        with suppress(Unprocessable):
            read(text)  # type: ignore[operator]


@given(st.binary(max_size=60))
def test_whatever_body_comes_it_is_a_form_or_refused(body: bytes) -> None:
    with suppress(Unprocessable):
        assert form(b"ConnectionType=SetStatus&ID=x&Status=" + body).printer_id in ("x", "")
