"""Messages of Star CloudPRNT over HTTP as the printer writes and reads them; no I/O (A14).

Decides how a poll, the addresses of GET and DELETE and the answers to client actions look, and what a server's answer
is taken for. Sources: Star CloudPRNT Protocol Guide 2.4.0 ("Polling the server", "Client Action", "Print job
requests", "Print job confirmation", "Client HTTP Request Headers"); the order of the status bytes and their bits: Star
"Automatic Status" in the Line Mode Command Specifications, appendix 2; values of PageInfo as Star's sample server reads
them (printWidth in mm times horizontalResolution in dots/mm).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from o2o_devices.errors import DecodeError
from o2o_devices.escpos.status import Status
from o2o_devices.mechanism import Profile
from o2o_devices.media import png, starprnt, text

CLIENT_TYPE = "Star mC-Print3"
CLIENT_VERSION = "5.1"
"""What the virtual printer says that it is: a model whose firmware has job tokens and all actions below (guide)."""
JOB_TOO_LARGE = "521 Job too large"

Decoder = Callable[[bytes, Mapping[str, str]], bytes]
"""(job, headers of the answer) -> ESC/POS. Raises DecodeError with a status code."""


def _starprnt(data: bytes, headers: Mapping[str, str]) -> bytes:
    return starprnt.to_escpos(data)


def _cut(headers: Mapping[str, str]) -> tuple[text.Cut, bool]:
    """X-Star-Cut: what the server wants behind a medium that cannot say so itself."""
    kind, _, rest = headers.get("x-star-cut", "partial; feed=true").partition(";")
    cut: text.Cut = "none" if kind.strip() == "none" else "full" if kind.strip() == "full" else "partial"
    return cut, "feed=false" not in rest.replace(" ", "")


def _text(data: bytes, headers: Mapping[str, str]) -> bytes:
    cut, feed = _cut(headers)
    return text.to_escpos(data, cut=cut, feed=feed)


def _png(data: bytes, headers: Mapping[str, str]) -> bytes:
    cut, feed = _cut(headers)
    return png.to_escpos(data, cut=cut, feed=feed)


MEDIA: dict[str, Decoder] = {
    "application/vnd.star.starprnt": _starprnt,
    "application/vnd.star.starprntcore": _starprnt,
    "text/plain": _text,
    "image/png": _png,
}
"""What the printer can print, by media type."""


class Settings(NamedTuple):
    """What a poll and the actions speak of and a printer keeps when its power goes."""

    mac: str
    interval_s: float
    profile: Profile
    media: Mapping[str, Decoder]
    unique_id: str | None = None
    post_url: str | None = None


class Answer(NamedTuple):
    """A server's answer to a poll. Fields that are absent or null have their defaults."""

    job_ready: bool = False
    media_types: tuple[str, ...] = ()
    token: str | None = None
    delete_by_get: bool = False
    actions: tuple[tuple[str, Any], ...] = ()
    """(request, options)."""
    job_url: str | None = None
    confirm_url: str | None = None


def colons(mac: str) -> str:
    """001162aabbcc -> 00:11:62:aa:bb:cc."""
    return ":".join(mac[at : at + 2] for at in range(0, 12, 2))


def asb(status: Status) -> str:
    """Sensors and switches as Automatic Status: nine bytes in hexadecimal, one space behind each.

    Length and version; then bit 3 offline and bit 5 cover of the first status byte; bit 6 of the second for a head that
    is too hot; bits 2 and 3 of the fourth for paper near its end and at its end.
    """
    first = 0x08 * status.offline | 0x20 * status.cover_open
    second = 0x40 * status.overheated | 0x20 * status.error
    fourth = 0x04 * (status.near_end or status.paper_end) | 0x08 * status.paper_end
    return "".join(f"{byte:x} " for byte in (0x23, 0x06, first, second, 0, fourth, 0, 0, 0))


def poll(
    settings: Settings,
    status: Status,
    code: str,
    *,
    token: str | None,
    printing: bool,
    results: list[tuple[str, Any]],
) -> bytes:
    """The body of a POST. code: a status code with its description; token: of the job in hand; results: of actions."""
    fields: dict[str, Any] = {
        "status": asb(status),
        "printerMAC": colons(settings.mac),
        "uniqueID": settings.unique_id,
        "statusCode": quote(code),
        "jobToken": token,
        "printingInProgress": printing,
        "clientAction": [{"request": request, "result": result} for request, result in results] or None,
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def read_answer(body: bytes) -> Answer | None:
    """An answer to a poll; None: it is none."""
    try:
        fields = json.loads(body)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    kinds, actions = fields.get("mediaTypes"), fields.get("clientAction")
    return Answer(
        fields.get("jobReady") is True,
        tuple(kind for kind in kinds if isinstance(kind, str)) if isinstance(kinds, list) else (),
        _text_of(fields.get("jobToken")),
        str(fields.get("deleteMethod", "")).upper() == "GET",
        tuple(
            (action["request"], action.get("options"))
            for action in (actions if isinstance(actions, list) else ())
            if isinstance(action, dict) and isinstance(action.get("request"), str)
        ),
        _text_of(fields.get("jobGetUrl")),
        _text_of(fields.get("jobConfirmationUrl")),
    )


def _text_of(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def choose(offered: tuple[str, ...], media: Mapping[str, Decoder]) -> str | None:
    """The first of the server's types that the printer has; its own first when none is named; None: none fits."""
    if not offered:
        return next(iter(media))
    return next((kind for kind in offered if kind.partition(";")[0].strip().lower() in media), None)


def act(settings: Settings, request: str, options: Any) -> tuple[Settings, Any]:
    """Do a client action: (settings after it, result). A result of None: this printer does not know the action."""
    profile = settings.profile
    if request == "ClientType":
        return settings, CLIENT_TYPE
    if request == "ClientVersion":
        return settings, CLIENT_VERSION
    if request == "Encodings":
        return settings, ";".join(settings.media)
    if request == "GetPollInterval":
        return settings, f"{settings.interval_s:g}"
    if request == "PageInfo":
        resolution = round(profile.dots_per_mm)
        page = {
            "paperWidth": f"{profile.width_mm:g}",
            "printWidth": f"{profile.dots / resolution:g}",
            "horizontalResolution": f"{resolution}",
            "verticalResolution": f"{resolution}",
        }
        return settings, page
    if request == "SetID" and isinstance(options, str):
        return settings._replace(unique_id=options or None), options
    if request == "SetPostUrl" and isinstance(options, str) and options.startswith(("http://", "https://")):
        return settings._replace(post_url=options), options
    return settings, None


def _with(url: str, query: list[tuple[str, str]]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query, quote_via=quote)}"


def _who(settings: Settings) -> list[tuple[str, str]]:
    uid = [] if settings.unique_id is None else [("uid", settings.unique_id)]
    return [*uid, ("mac", colons(settings.mac))]


def job_url(url: str, settings: Settings, kind: str, token: str | None) -> str:
    """Where a job is fetched."""
    return _with(url, [*_who(settings), ("type", kind), *_token(token)])


def confirmation_url(url: str, settings: Settings, code: str, token: str | None, *, retry: int, by_get: bool) -> str:
    """Where a job is confirmed. retry: times that it was tried before."""
    again = [("retry", str(retry))] if retry else []
    address = _with(url, [*_who(settings), ("code", code), *_token(token), *again])
    return f"{address}&delete" if by_get else address


def _token(token: str | None) -> list[tuple[str, str]]:
    return [] if token is None else [("token", token)]


def headers(settings: Settings) -> dict[str, str]:
    """Of a request for a job."""
    resolution = round(settings.profile.dots_per_mm)
    return {
        "Accept": ", ".join(settings.media),
        "X-Star-Paper-Width": f"{settings.profile.width_mm:g}",
        "X-Star-Print-Width": f"{settings.profile.dots / resolution:g}",
        "X-Star-Horizontal-Resolution": f"{resolution}",
        "X-Star-Vertical-Resolution": f"{resolution}",
    }


def escpos(settings: Settings, kind: str, job: bytes, answer: Mapping[str, str]) -> bytes:
    """A job as bytes for the engine inside. Raises DecodeError with the code that the server is told."""
    decoder = settings.media.get(kind.partition(";")[0].strip().lower())
    if decoder is None:
        raise DecodeError("510", f"no such medium: {kind[:60]}")
    return decoder(job, answer)
