"""Feie's open API (飞鹅): what is asked of its cloud, and what its answers mean (A14). No I/O.

One URL; each call is a form with `user`, `stime` and `sig` = sha1(user + ukey + stime), and is named by `apiname`. A
job has no id of ours and no idempotency key: the same form sent twice is printed twice. What the API has instead is
`expired`, unix seconds within the next 24 h after which a job that was not printed is dropped; it is the ticket's
deadline here, so that a printer that comes back does not print what nobody waits for any more.

Sources: the vendor's demo program and a published client, as in docs/printers.md. Not stated there, and our choice:
what a callback holds and how it is signed (see `protocols.vendor`).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec

from o2o_platform.printing.drivers import Driver, PrintFailed
from o2o_platform.printing.drivers.vendor import Fate, Form, UnclearError, VendorJob, opener, order_id_of
from o2o_platform.printing.media import markup
from o2o_platform.settings import Settings

NAME = "feie"
MAX_EXPIRED_S = 86_400
"""The API takes no later `expired`."""


class _Reply(msgspec.Struct):
    ret: int
    msg: Any = None
    data: Any = None


_REPLY = msgspec.json.Decoder(_Reply)


class Feie:
    """See `drivers.vendor.Vendor`."""

    name = NAME
    idempotent = False
    withdraws = False

    def __init__(self, settings: Settings) -> None:
        self._url = settings.feie_url
        self._user = settings.feie_user
        self._ukey = settings.feie_ukey
        self._told_at = settings.public_url.rstrip("/")

    @property
    def configured(self) -> bool:
        """Whether there is such a cloud."""
        return bool(self._url and self._user and self._ukey)

    def printing(self, job: VendorJob, now: float) -> Form:
        """Print a ticket."""
        expired = min(int(job.expires), int(now) + MAX_EXPIRED_S)
        backurl = f"{self._told_at}/printing/feie/{job.token}/{self.mark(job.token)}"
        return self._form(
            "Open_printMsg", now, sn=job.serial, content=job.content, times="1", expired=str(expired), backurl=backurl
        )

    def taken(self, raw: bytes) -> str:
        """The cloud's id of the job that it has taken. PrintFailed if it has not, UnclearError if nobody knows."""
        reply = _decoded(raw)
        if reply.ret != 0:
            raise PrintFailed(f"feie_{reply.ret}")
        return order_id_of(reply.data)

    def asking(self, serial: str, order_id: str, now: float) -> Form:
        """How a job stands."""
        return self._form("Open_queryOrderState", now, orderid=order_id)

    def fate(self, raw: bytes) -> Fate:
        """What the answer to `asking` says. Not printed yet and dropped look the same here."""
        reply = _decoded(raw)
        if reply.ret != 0:
            return Fate.UNKNOWN
        return Fate.PRINTED if reply.data is True else Fate.WAITING

    def looking(self, serial: str, now: float) -> Form:
        """How a printer is."""
        return self._form("Open_queryPrinterStatus", now, sn=serial)

    def status(self, raw: bytes) -> str:
        """What the cloud believes of the printer, in its own words."""
        reply = _decoded(raw)
        return reply.data if reply.ret == 0 and isinstance(reply.data, str) else f"ret {reply.ret}"

    def withdrawing(self, serial: str, order_id: str, now: float) -> Form:
        """Not needed: the cloud drops what has expired."""
        raise NotImplementedError

    def mark(self, token: str) -> str:
        """What shows that we have made the callback's URL: HMAC-SHA256 of the job's token, 32 hex digits."""
        return hmac.new(self._ukey.encode(), token.encode(), hashlib.sha256).hexdigest()[:32]

    def sign(self, stime: str) -> str:
        """The signature of a request."""
        return hashlib.sha1((self._user + self._ukey + stime).encode(), usedforsecurity=False).hexdigest()

    def _form(self, apiname: str, now: float, **fields: str) -> Form:
        stime = str(int(now))
        return Form(
            self._url, {"user": self._user, "stime": stime, "sig": self.sign(stime), "apiname": apiname, **fields}
        )


def _decoded(raw: bytes) -> _Reply:
    try:
        return _REPLY.decode(raw)
    except msgspec.DecodeError as error:
        raise UnclearError(f"an answer that cannot be read: {error}") from None


DRIVER = Driver(NAME, markup.feie, opener(NAME))
