"""Yilianyun's open API (易联云): what is asked of its cloud, and what its answers mean (A14). No I/O.

Each call is a form with `client_id`, `access_token`, `timestamp`, `id` (a UUID4) and `sign`. A job carries an
`origin_id` of ours; with `idempotence` = 1 the same one within two hours is not printed again, and its first answer
comes back: a call that timed out may be made again. A job has no time at which it ends, so one that was not printed by
the ticket's deadline is withdrawn.

Sources: the vendor's oauth-api manual, as in docs/printers.md. Not stated there, and our choice: the shape of answers
around the id, how a request is signed (as pushes are: md5(client_id + time + client_secret)), and the two calls that
ask for one job and withdraw it.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import msgspec

from o2o_platform.printing.drivers import Driver, PrintFailed
from o2o_platform.printing.drivers.vendor import Fate, Form, UnclearError, VendorJob, opener, order_id_of
from o2o_platform.printing.media import markup
from o2o_platform.settings import Settings

NAME = "yilianyun"
WINDOW_S = 7200.0
"""The cloud remembers an `origin_id` for so long."""
STATUS = {"0": "offline", "1": "online", "2": "paper_end"}


class _Reply(msgspec.Struct):
    error: int | str
    error_description: Any = None
    body: Any = None

    @property
    def fields(self) -> dict[str, Any]:
        """The body, where it is an object; an empty one may come as anything."""
        return self.body if isinstance(self.body, dict) else {}


_REPLY = msgspec.json.Decoder(_Reply)
_FATES = {"0": Fate.WAITING, "1": Fate.PRINTED, "2": Fate.CANCELLED}


class Yilianyun:
    """See `drivers.vendor.Vendor`."""

    name = NAME
    idempotent = True
    withdraws = True

    def __init__(self, settings: Settings) -> None:
        self._url = settings.yilianyun_url.rstrip("/")
        self.client_id = settings.yilianyun_client_id
        self._secret = settings.yilianyun_client_secret
        self._token = settings.yilianyun_access_token

    @property
    def configured(self) -> bool:
        """Whether there is such a cloud."""
        return bool(self._url and self.client_id and self._secret)

    def printing(self, job: VendorJob, now: float) -> Form:
        """Print a ticket."""
        fields = {"machine_code": job.serial, "content": job.content, "origin_id": job.token, "idempotence": "1"}
        return self._form("/print/index", now, **fields)

    def taken(self, raw: bytes) -> str:
        """The cloud's id of the job that it has taken. PrintFailed if it has not, UnclearError if nobody knows."""
        reply = _decoded(raw)
        if str(reply.error) != "0":
            raise PrintFailed(f"yilianyun_{reply.error}")
        return order_id_of(reply.fields.get("id"))

    def asking(self, serial: str, order_id: str, now: float) -> Form:
        """How a job stands."""
        return self._form("/printer/getorderstatus", now, machine_code=serial, order_id=order_id)

    def fate(self, raw: bytes) -> Fate:
        """What the answer to `asking` or `withdrawing` says."""
        reply = _decoded(raw)
        return _FATES.get(str(reply.fields.get("status")), Fate.UNKNOWN) if str(reply.error) == "0" else Fate.UNKNOWN

    def looking(self, serial: str, now: float) -> Form:
        """How a printer is."""
        return self._form("/printer/getprintstatus", now, machine_code=serial)

    def status(self, raw: bytes) -> str:
        """What the cloud believes of the printer: offline, online or paper_end."""
        reply = _decoded(raw)
        state = str(reply.fields.get("state"))
        return STATUS.get(state, state) if str(reply.error) == "0" else f"error {reply.error}"

    def withdrawing(self, serial: str, order_id: str, now: float) -> Form:
        """Cancel a job that has not been printed; the answer says how it stands then."""
        return self._form("/printer/cancelone", now, machine_code=serial, order_id=order_id)

    def sign(self, time: str) -> str:
        """The signature of a request, and of a push."""
        return hashlib.md5((self.client_id + time + self._secret).encode(), usedforsecurity=False).hexdigest()

    def _form(self, path: str, now: float, **fields: str) -> Form:
        timestamp = str(int(now))
        common = {"client_id": self.client_id, "access_token": self._token, "timestamp": timestamp}
        return Form(self._url + path, {**common, "sign": self.sign(timestamp), "id": str(uuid.uuid4()), **fields})


def _decoded(raw: bytes) -> _Reply:
    try:
        return _REPLY.decode(raw)
    except msgspec.DecodeError as error:
        raise UnclearError(f"an answer that cannot be read: {error}") from None


DRIVER = Driver(NAME, markup.yilianyun, opener(NAME))
