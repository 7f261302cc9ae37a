"""The messages of Star CloudPRNT over HTTP, as bytes and back; no I/O (A14).

Decides how polls are read and answered, and how a printer is known. Leaves what a status code means, and what follows,
to `o2o_domain.cloudprnt`. Source: Star CloudPRNT Protocol Guide 2.4.0, "CloudPRNT HTTP Method".

A poll is JSON; `statusCode` is the only field that must be there, all others may be absent or null. The printer is
known by its MAC: in a poll's `printerMAC`, in the query of GET and DELETE, in the header X-Star-Mac; a client that
names it nowhere else is known by the user of its Basic authentication.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from o2o_domain.cloudprnt import Status, status
from o2o_platform.errors import PlatformError

MAX_BODY = 64 * 1024
"""Bytes of a poll; half a kilobyte is usual."""
ASKED = ("ClientType", "ClientVersion", "Encodings", "GetPollInterval")
"""What every printer is asked once."""
_ANSWER_CHARS = 500
_INTERVAL_S = (1.0, 86_400.0)


class NotUnderstood(PlatformError):  # noqa: N818 -- as HTTP names it
    """The request makes no sense; 400 is Star's word for it."""

    status = 400


class Poll(NamedTuple):
    """What a printer says when it asks."""

    mac: str | None
    told: Status
    text: str
    """The status code as it came, for people."""
    token: str | None
    printing: bool | None
    answers: dict[str, str]
    """To what it was asked, by request."""


class _Answer(msgspec.Struct):
    request: str | None = None
    result: Any = None


class _Poll(msgspec.Struct):
    statusCode: str  # noqa: N815 -- Star's names
    printerMAC: str | None = None  # noqa: N815
    jobToken: str | None = None  # noqa: N815
    printingInProgress: bool | None = None  # noqa: N815
    clientAction: list[_Answer] | None = None  # noqa: N815


_poll = msgspec.json.Decoder(_Poll)


def mac_of(text: str | None) -> str | None:
    """A MAC as addresses of printers have it: 12 hexadecimal digits in lower case. None: it is none."""
    if text is None:
        return None
    plain = text.strip().replace(":", "").replace("-", "").lower()
    fits = len(plain) == 12 and all(char in "0123456789abcdef" for char in plain)
    return plain if fits else None


def read_poll(body: bytes) -> Poll:
    """The poll. Raises NotUnderstood."""
    if len(body) > MAX_BODY:
        raise NotUnderstood("too_large", f"a poll of {len(body)} bytes; {MAX_BODY} are read")
    try:
        poll = _poll.decode(body)
    except msgspec.DecodeError as error:
        raise NotUnderstood("invalid", str(error)) from None
    answers = {
        one.request: _as_text(one.result)
        for one in poll.clientAction or ()
        if one.request in ASKED and one.result is not None
    }
    told = status(poll.statusCode)
    return Poll(
        mac_of(poll.printerMAC), told, _plain(poll.statusCode), poll.jobToken or None, poll.printingInProgress, answers
    )


def _as_text(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text.replace("\0", "")[:_ANSWER_CHARS]


def _plain(code: str) -> str:
    return code.replace("%20", " ").replace("\0", "").strip()[:64]


def credentials(header: str | None) -> tuple[str, str] | None:
    """(user, password) of Basic authentication; None: the header is none of that."""
    scheme, _, coded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except ValueError:  # no base64, no UTF-8, no ASCII
        return None
    return (user, password) if colon else None


def device(answers: Mapping[str, str]) -> dict[str, Any]:
    """What is kept of a printer's answers: as it said them, and its interval in seconds if that makes sense."""
    kept: dict[str, Any] = dict(answers)
    try:
        interval_s = float(answers.get("GetPollInterval", ""))
    except ValueError:
        interval_s = 0.0
    if _INTERVAL_S[0] <= interval_s <= _INTERVAL_S[1]:
        kept["interval_s"] = interval_s
    return kept


def interval_in(detail: str | None, usual_s: float) -> float:
    """How often the printer polls, seconds: what is kept of its answers says so, or else it is as usual."""
    kept = {} if detail is None else msgspec.json.decode(detail)
    return float(kept.get("interval_s", usual_s))


NO_JOB = b'{"jobReady":false}'


def questions() -> bytes:
    """An answer without a job that asks for everything in `ASKED`; the printer polls again at once to answer."""
    asked = [{"request": request, "options": ""} for request in ASKED]
    return msgspec.json.encode({"jobReady": False, "clientAction": asked})


def job_ready(token: str, media: Iterable[str], delete_method: str) -> bytes:
    """There is a job; `media` are the types that it can be had in, the best first."""
    ready = {"jobReady": True, "mediaTypes": list(media), "jobToken": token, "deleteMethod": delete_method}
    return msgspec.json.encode(ready)
