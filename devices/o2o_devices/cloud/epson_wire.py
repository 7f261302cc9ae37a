"""What an Epson printer reads and says in Server Direct Print and Status Notification, as bytes; no I/O (A14).

Decides what of a server's answer is a job, what is refused as a whole, and what is dropped without a word. Sources:
Server Direct Print User's Manual (TM-DT pages 37 to 53, TM-T20II-i pages 27 to 47); that an answer in another wrapping
is dropped silently was found on a TM-m30III (wcpos/woocommerce-pos PR 1697). Status words: ePOS-Print XML User's
Manual, TM-T20II-i page 64; the bits above them (0x0F000014) are those of the manuals' examples.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from o2o_devices.errors import DecodeError
from o2o_devices.escpos.status import Status
from o2o_devices.media.epos import NAMESPACE, element_of

MAX_BYTES = 2 * 1024 * 1024
"""A longer answer is refused (TM-T88VI)."""
MAX_JOBS = 5000
DEVICE_ID = "local_printer"
FORM = {"content-type": "application/x-www-form-urlencoded"}

TOO_BIG = ("Data size is exceeded", "Too big print request")
TOO_MANY = ("Data size is exceeded", "Too many job requests")
NOT_XML = "Invalid XML format"

_TOKEN = re.compile(r"[0-9A-Za-z_.-]{1,30}\Z")
_VERSIONS = ("1.00", "2.00", "3.00")

ONLINE = 0x0F00_0014
OFFLINE, COVER_OPEN, NEAR_END, PAPER_END = 0x08, 0x20, 0x0003_0000, 0x000C_0000
PRINTED, NO_RESPONSE = 0x02, 0x01

CODES = {"paper_end": "EPTR_REC_EMPTY", "cover_open": "EPTR_COVER_OPEN", "overheated": "EPTR_AUTOMATICAL"}
"""From what stopped a job to the printer's word for it."""
OTHER_CODE = "EPTR_UNRECOVERABLE"


class Foreign(Exception):  # noqa: N818  not an error: it is dropped
    """An answer that is no PrintRequestInfo, such as one wrapped in SOAP."""


class RefusedWhole(Exception):  # noqa: N818  an answer of the printer's
    """An answer that cannot be taken as a whole; `summary` and `detail` are what the printer says of it."""

    def __init__(self, summary: str, detail: str) -> None:
        super().__init__(f"{summary}: {detail}")
        self.summary = summary
        self.detail = detail


class Job(NamedTuple):
    """One <ePOSPrint>. `token` is empty without a printjobid, `document` None where there is nothing to print."""

    device: str
    timeout_s: float
    token: str
    document: Element | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server wants printed."""

    version: str
    jobs: tuple[Job, ...] = field(default=())


class Result(NamedTuple):
    """How one job went, and the status word at that time."""

    device: str
    token: str
    success: bool
    code: str
    status: int


def read(body: bytes) -> Answer:
    """A server's answer. Raises Foreign (drop it) and RefusedWhole (say so)."""
    if not body.strip():
        return Answer("2.00")
    if len(body) > MAX_BYTES:
        raise RefusedWhole(*TOO_BIG)
    try:
        root = element_of(body)
    except DecodeError as error:
        raise RefusedWhole(NOT_XML, str(error)) from None
    if root.tag != "PrintRequestInfo" or root.get("Version", "1.00") not in _VERSIONS:
        raise Foreign(root.tag[:80])
    jobs = root.findall("ePOSPrint")
    if len(jobs) > MAX_JOBS:
        raise RefusedWhole(*TOO_MANY)
    return Answer(root.get("Version", "1.00"), tuple(_job(job) for job in jobs))


def _job(job: Element) -> Job:
    """A job whose parameters make no sense has no document that can be printed: its result is a SchemaError."""
    data = job.find("PrintData")
    document = None if data is None or not len(data) else data[0]
    timeout = job.findtext("Parameter/timeout", "10000")
    token = job.findtext("Parameter/printjobid", "")
    if not (timeout.isascii() and timeout.isdigit() and len(timeout) < 10) or (token and not _TOKEN.match(token)):
        return Job(job.findtext("Parameter/devid", ""), 0.0, token[:30], Element("nonsense"))
    return Job(job.findtext("Parameter/devid", ""), int(timeout) / 1000.0, token, document)


def status_word(status: Status) -> int:
    """Sensors as a status word: paper end at a closed cover: 0x0F0F001C."""
    word = ONLINE
    if status.near_end:
        word |= NEAR_END
    if status.paper_end:
        word |= PAPER_END | OFFLINE
    if status.cover_open:
        word |= COVER_OPEN | OFFLINE
    if not status.online:
        word |= OFFLINE
    return word


def form(kind: str, printer_id: str, **more: str) -> bytes:
    """A request's body."""
    return urlencode({"ConnectionType": kind, "ID": printer_id, **more}).encode()


def results(version: str, said: list[Result]) -> str:
    """The ResponseFile for an answer of this version."""
    out = [f'<?xml version="1.0" encoding="utf-8"?>\n<PrintResponseInfo Version="{version}">']
    if version == "3.00":
        out.append('<ServerDirectPrint><Response Success="true"/></ServerDirectPrint>')
    for one in said:
        response = (
            f'<response xmlns="{NAMESPACE}" success="{"true" if one.success else "false"}" code={quoteattr(one.code)} '
            f'status="{one.status}" battery="0"/>'
        )
        if version == "1.00":
            out.append(response)
            continue
        named = f"<printjobid>{escape(one.token)}</printjobid>" if one.token else ""
        out.append(f"<ePOSPrint><Parameter><devid>{escape(one.device)}</devid>{named}</Parameter>")
        out.append(f"<PrintResponse>{response}</PrintResponse></ePOSPrint>")
    return "".join(out) + "</PrintResponseInfo>"


def refusal(refused: RefusedWhole) -> str:
    """The ResponseFile that says that an answer could not be taken at all."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<PrintResponseInfo Version="3.00"><ServerDirectPrint>'
        f'<Response Success="false"><ErrorSummary>{escape(refused.summary)}</ErrorSummary>'
        f"<ErrorDetail>{escape(refused.detail)}</ErrorDetail></Response></ServerDirectPrint></PrintResponseInfo>"
    )


def notification(word: int) -> str:
    """The Status of a SetStatus."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<statusmonitor Version="1.00">'
        f'<printerstatus devicename="{DEVICE_ID}" asbstatus="0x{word:08X}"/></statusmonitor>'
    )
