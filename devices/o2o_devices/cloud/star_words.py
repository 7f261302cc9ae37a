"""Words of Star CloudPRNT over MQTT as a printer says and hears them: topics, JSON payloads, status codes (A14).

Source: Star CloudPRNT Protocol Guide 2.4.0, "MQTT Message Topic / Payload Specification", "Printer Status Codes" and
"Server setting information request". Decides which code tells which state of the sensors. The guide's excerpt at hand
does not name the code for a job token that was met before: DUPLICATE is an assumed one of class 5.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NamedTuple
from urllib.parse import quote

from o2o_devices.cloud.mqtt_line import Account
from o2o_devices.errors import DecodeError
from o2o_devices.escpos.status import Status
from o2o_devices.media.text import Cut

OK, PAPER_LOW, PAPER_END, COVER_OPEN, ERROR = (
    "200 OK",
    "211 Paper low",
    "410 Out of paper",
    "420 Cover open",
    "400 Printer error",
)
BAD_REQUEST, MEDIA_TYPE, NOT_FETCHED = "500 Client error", "510 Incompatible media type", "520 Download timeout"
DUPLICATE = "530 Duplicate jobToken"
_FAILED = {"paper_end": PAPER_END, "cover_open": COVER_OPEN}
_TITLE, _MQTT = "star_cloudprnt_server_setting", "MQTT"


class Job(NamedTuple):
    """A print-job. `data` None: it is fetched from `url`."""

    token: str
    media_type: str
    data: bytes | None
    url: str
    cut: Cut | None = None
    """What printerControl asks for behind the job; None: nothing."""
    feed: bool = True


class ServerSetting(NamedTuple):
    """What cloudprnt-setting.json says. `account` None: the server wants to be polled over HTTP."""

    account: Account | None
    polling_s: float | None = None


def colons(mac: str) -> str:
    """001162aabbcc -> 00:11:62:aa:bb:cc."""
    return ":".join(mac[at : at + 2] for at in range(0, 12, 2))


def said(title: str, mac: str, **fields: Any) -> bytes:
    """The payload of a message of a printer's."""
    return json.dumps({"title": title, "printerMAC": colons(mac), **fields}, separators=(",", ":")).encode()


def encoded(code: str) -> str:
    """A status code as it is sent: "200%20OK"."""
    return quote(code)


def code_of(status: Status) -> str:
    """The status code of the printer's sensors. Its own switch does not show: such a printer takes jobs."""
    if status.cover_open:
        return COVER_OPEN
    if status.paper_end:
        return PAPER_END
    if status.error or status.overheated:
        return ERROR
    return PAPER_LOW if status.near_end else OK


def failure(code: str | None) -> str:
    """The status code of a job that ended so (`machine.Outcome.code`)."""
    return _FAILED.get(code or "", ERROR)


def read(payload: bytes) -> dict[str, Any] | None:
    """A message's fields; None: it is none."""
    try:
        fields = json.loads(payload)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def read_job(fields: dict[str, Any]) -> Job:
    """A print-job. Raises DecodeError with the status code to answer with."""
    kinds, kind, data = fields.get("mediaTypes"), fields.get("jobType"), fields.get("printData")
    if not isinstance(kinds, list) or not kinds or not isinstance(kinds[0], str) or not isinstance(data, str):
        raise DecodeError(BAD_REQUEST, "mediaTypes and printData are wanted")
    control = fields.get("printerControl")
    cutter = control.get("cutter") if isinstance(control, dict) else None
    wanted = cutter.get("type") if isinstance(cutter, dict) else None
    cut: Cut | None = "full" if wanted == "full" else "partial" if wanted == "partial" else None
    feed = not isinstance(cutter, dict) or cutter.get("feed") is not False
    token = str(fields.get("jobToken", ""))
    if kind == "url":
        return Job(token, kinds[0], None, data, cut, feed)
    if kind != "raw":
        raise DecodeError(BAD_REQUEST, f"jobType {kind!r}")
    if kinds[0].startswith("text/"):
        return Job(token, kinds[0], data.encode(), "", cut, feed)
    try:
        return Job(token, kinds[0], base64.b64decode(data, validate=True), "", cut, feed)
    except (binascii.Error, ValueError):
        raise DecodeError("511 Media decoding error", "printData is not base64") from None


def read_setting(body: bytes) -> ServerSetting:
    """The body of cloudprnt-setting.json. Raises DecodeError for one that a printer cannot make use of."""
    fields = read(body)
    if fields is None or fields.get("title") != _TITLE:
        raise DecodeError(BAD_REQUEST, "not a server setting")
    if _MQTT not in (fields.get("serverSupportProtocol") or ()):
        return ServerSetting(None)
    mqtt = fields.get("settingForMQTT") or {}
    connection = mqtt.get("mqttConnectionSetting") or {}
    who = connection.get("authenticationSetting") or {}
    host, port, polling = connection.get("hostName"), connection.get("portNumber", 1883), mqtt.get("pollingTimeSec")
    if mqtt.get("useTriggerPOST") or not isinstance(host, str) or not isinstance(port, int):
        raise DecodeError(BAD_REQUEST, "Full MQTT with hostName and portNumber is wanted")
    account = Account(host, port, who.get("username"), who.get("password"), bool(connection.get("useTls")))
    return ServerSetting(account, float(polling) if isinstance(polling, int | float) and polling > 0 else None)
