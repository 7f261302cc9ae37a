"""Messages of Star CloudPRNT over MQTT as the server sees them: jobs out; status, result and will in (A14).

Source: Star CloudPRNT Protocol Guide 2.4.0, "MQTT Message Topic Specification" and "... Payload Specification"; all
payloads are JSON. Decides what a printer's words mean to us, and nothing about connections; status codes are
`o2o_domain.cloudprnt`'s. A result is believed as far as it says something about this job: `printSucceeded` false with
a code of class 5 that we do not know says nothing. A printer that gets a job a second time answers so that it has met
the token before (the guide's excerpt at hand does not name the code for that), and what became of the first one is
told by another result. Addresses have a MAC of 12 hex digits in lower case, topics one with colons.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from o2o_domain.cloudprnt import Health, Status, status
from o2o_domain.tickets import PrintOutcome

QOS = 1
"""Of all messages, both ways; none is retained."""
STATUS, RESULT, WILL = "client-status", "print-result", "client-will"
HEARD = tuple(f"star/cloudprnt/to-server/+/{method}" for method in (STATUS, RESULT, WILL))
"""Topics that a server subscribes."""

_TOPIC = re.compile(r"star/cloudprnt/to-server/([0-9A-Fa-f]{2}(?:[:.-]?[0-9A-Fa-f]{2}){5})/([a-z-]+)")
_UNFIT = {"500", "510", "511", "512", "520", "521"}
"""Class 5, and why this job cannot be printed: in general, media type, decoding, version, fetching, size."""
_TROUBLES = {"41": PrintOutcome.PAPER_END, "42": PrintOutcome.COVER_OPEN}


class BadMessage(ValueError):  # noqa: N818 - what it is, not that it is one
    """No message of a printer's."""


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """The printer is there, and so it is."""

    mac: str
    told: Status
    text: str
    printing: bool

    @property
    def trouble(self) -> PrintOutcome | None:
        """What keeps it from printing; None if nothing does."""
        if self.told.health in (Health.ONLINE, Health.UNKNOWN):
            return None
        return _TROUBLES.get(self.told.code[:2], PrintOutcome.ERROR)


@dataclass(frozen=True, slots=True)
class PrintResult:
    """What became of a job."""

    mac: str
    token: str
    ok: bool
    told: Status

    @property
    def says(self) -> bool:
        """Whether it tells anything about the job; see the module."""
        return self.ok or self.told.health is not Health.CLIENT_TROUBLE or self.told.code in _UNFIT

    @property
    def failure(self) -> str:
        """A failed ticket's code."""
        return self.told.reason


@dataclass(frozen=True, slots=True)
class ClientWill:
    """The printer is gone: said by the broker, or by itself when it was switched off."""

    mac: str


def topic(mac: str, method: str) -> str:
    """Where a printer hears `method`."""
    return f"star/cloudprnt/to-device/{colons(mac)}/{method}"


def colons(mac: str) -> str:
    """001162aabbcc -> 00:11:62:aa:bb:cc."""
    return ":".join(mac[at : at + 2] for at in range(0, 12, 2))


def print_job(token: str, media_type: str, data: bytes) -> bytes:
    """A job with its data in it (Full MQTT). Text is cut behind by the printer; other media say that themselves."""
    text = media_type.startswith("text/")
    return _payload(
        "print-job",
        jobToken=token,
        jobType="raw",
        mediaTypes=[media_type],
        printData=data.decode() if text else base64.b64encode(data).decode("ascii"),
        **({"printerControl": {"cutter": {"type": "full", "feed": True}}} if text else {}),
    )


def request_status() -> bytes:
    """Have the printer say at once how it is."""
    return _payload("request-client-status")


def read(name: str, payload: bytes | bytearray | str) -> ClientStatus | PrintResult | ClientWill:
    """A message on a topic of ours. Raises BadMessage for what is none; fields that we do not know are passed over."""
    match = _TOPIC.fullmatch(name)
    if match is None:
        raise BadMessage(f"no topic of a printer's: {name[:80]}")
    mac, method = re.sub("[:.-]", "", match[1]).lower(), match[2]
    try:
        fields = json.loads(payload)
    except ValueError as error:
        raise BadMessage(f"{method}: not JSON ({error})") from None
    if not isinstance(fields, dict):
        raise BadMessage(f"{method}: not an object")
    if method == STATUS:
        text = _code(fields)
        return ClientStatus(mac, status(text), text, fields.get("printingInProgress") is True)
    if method == RESULT:
        token, ok = fields.get("jobToken"), fields.get("printSucceeded")
        if not isinstance(token, str) or not isinstance(ok, bool):
            raise BadMessage("print-result: jobToken and printSucceeded are wanted")
        return PrintResult(mac, token, ok, status(_code(fields)))
    if method == WILL:
        return ClientWill(mac)
    raise BadMessage(f"not for us: {method}")


def _code(fields: dict[str, Any]) -> str:
    said = fields.get("statusCode")
    return "" if said is None else unquote(str(said)).strip()[:64]


def _payload(title: str, **fields: Any) -> bytes:
    return json.dumps({"title": title, **fields}, ensure_ascii=False, separators=(",", ":")).encode()
