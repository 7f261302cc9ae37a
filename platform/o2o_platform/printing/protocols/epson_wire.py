"""The messages of Epson Server Direct Print and Status Notification, as bytes and back; no I/O (A14).

Decides how a job is wrapped, and how results and status are read. Leaves their meaning to `o2o_domain.epson`. All three
requests are forms (application/x-www-form-urlencoded) sent to one URL:

    ConnectionType=GetRequest&ID=..                       what is there to print?
    ConnectionType=SetResponse&ID=..&ResponseFile=<xml>   how it went, in the version of the job
    ConnectionType=SetStatus&ID=..&Status=<xml>           how the printer is

A job is PrintRequestInfo 2.00, the first version with a printjobid: it names the ticket in the result, which comes when
it may, and again. It is never wrapped in SOAP, which belongs to another protocol (a printer drops such an answer
without a word, wcpos/woocommerce-pos PR 1697). Results are read in versions 1.00 (no id), 2.00 and 3.00.

Sources: Server Direct Print User's Manual (TM-DT pages 37 to 53, TM-T20II-i pages 27 to 47, TM-T88VI-i page 51).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element

from o2o_platform.errors import Unprocessable
from o2o_platform.printing.protocols.plain_xml import local, parsed

CONTENT_TYPE = "text/xml; charset=utf-8"
DEVICE_ID = "local_printer"
"""What a printer calls itself; others are printers attached to it."""
FORM_BYTES = 64 * 1024
"""A form's limit; a result of one job has half a kilobyte."""
FILE_CHARS = 32 * 1024
FIELDS = 32
RESULTS = 100
"""Results read from one message; we send one job at a time."""
TOKEN = re.compile(r"[0-9A-Za-z_.-]{1,30}\Z")
"""What a printjobid may be."""

_BEFORE = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<PrintRequestInfo Version="2.00"><ePOSPrint><Parameter>'
    "<devid>{device}</devid><timeout>{timeout_ms}</timeout><printjobid>{token}</printjobid>"
    "</Parameter><PrintData>"
)
_BEHIND = b"</PrintData></ePOSPrint></PrintRequestInfo>\n"


def print_request(token: str, ticket: bytes, timeout_ms: int) -> bytes:
    """One job. `ticket`: its <epos-print> element; the printer gives up after `timeout_ms` (EX_TIMEOUT)."""
    if not TOKEN.match(token):
        raise ValueError(f"{token!r} is no printjobid")
    return _BEFORE.format(device=DEVICE_ID, timeout_ms=timeout_ms, token=token).encode() + ticket + _BEHIND


class Form(NamedTuple):
    """A request. `printer_id` is empty where the merchant has set none."""

    kind: str
    printer_id: str
    file: str = ""
    """Of SetResponse and SetStatus: their XML."""


_FILES = {"SetResponse": "ResponseFile", "SetStatus": "Status"}


def form(body: bytes) -> Form:
    """A request's body. Raises Unprocessable for what is no such form."""
    if len(body) > FORM_BYTES:
        raise Unprocessable("too_large", f"a form of {len(body)} bytes; {FORM_BYTES} are read")
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS))
    except ValueError as error:  # UnicodeDecodeError is one
        raise Unprocessable("invalid", f"no form: {error}") from None
    kind = fields.get("ConnectionType", "")
    return Form(kind, fields.get("ID", ""), fields.get(_FILES.get(kind, ""), ""))


class Result(NamedTuple):
    """How one job went. `token` is empty in version 1.00."""

    token: str
    success: bool
    code: str
    status: int | None
    """The status word; None: there is none that can be read."""


class Report(NamedTuple):
    """What a SetResponse says. `refused`: the printer's words about a whole answer that it could not take."""

    results: tuple[Result, ...]
    refused: str = ""


def report(text: str) -> Report:
    """The XML of a SetResponse. Raises Unprocessable for what is none."""
    root = parsed(text, FILE_CHARS)
    if local(root) != "PrintResponseInfo":
        raise Unprocessable("invalid", f"<{local(root)[:40]}> where <PrintResponseInfo> is wanted")
    whole = _below(root, "ServerDirectPrint", "Response")
    if whole is not None and not _true(whole.get("Success")):
        words = (_text(whole, "ErrorSummary"), _text(whole, "ErrorDetail"))
        return Report((), ": ".join(word for word in words if word) or "refused")
    results: list[Result] = []
    for child in root:
        if len(results) == RESULTS:
            break
        if local(child) == "ePOSPrint":
            answer = _below(child, "PrintResponse", "response")
            parameter = _below(child, "Parameter")
            if answer is not None:
                results.append(_result(answer, "" if parameter is None else _text(parameter, "printjobid")))
        elif local(child) == "response":
            results.append(_result(child, ""))
    return Report(tuple(results))


def statuses(text: str) -> dict[str, int]:
    """Status words by device id, from the XML of a SetStatus. Raises Unprocessable for what is none."""
    root = parsed(text, FILE_CHARS)
    if local(root) != "statusmonitor":
        raise Unprocessable("invalid", f"<{local(root)[:40]}> where <statusmonitor> is wanted")
    found = {}
    for child in root:
        if local(child) == "printerstatus" and (word := _number(child.get("asbstatus"))) is not None:
            found[child.get("devicename", "")] = word
    return found


def _result(answer: Element, token: str) -> Result:
    return Result(token, _true(answer.get("success")), answer.get("code", ""), _number(answer.get("status")))


def _below(element: Element, *names: str) -> Element | None:
    """The first element down this way, in whatever namespace."""
    found: Element | None = element
    for name in names:
        found = next((child for child in found if local(child) == name), None) if found is not None else None
    return found


def _text(element: Element, name: str) -> str:
    found = _below(element, name)
    return "" if found is None else (found.text or "").strip()


def _true(value: str | None) -> bool:
    """An xs:boolean."""
    return value in ("true", "1")


_DECIMAL, _HEX = re.compile(r"[0-9]{1,10}\Z"), re.compile(r"0[xX][0-9a-fA-F]{1,8}\Z")


def _number(value: str | None) -> int | None:
    """A status word, decimal or with 0x."""
    if value is None:
        return None
    if _HEX.match(value):
        return int(value, 16)
    return int(value) if _DECIMAL.match(value) else None
