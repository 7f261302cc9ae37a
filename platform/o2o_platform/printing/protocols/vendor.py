"""Where vendors' clouds tell what became of a ticket: callbacks, believed by their signatures (A14).

Decides whom to believe, and that a callback has no effect the second time, whatever the order they come in: the
ticket's table of states says so, not a memory of callbacks. A token that is none of ours is answered like any other, or
it would only be told again. Both vendors are answered at once, after one transaction.

POST /printing/feie/{token}/{mark}: `mark` shows that the URL was made by us for this job; the form holds `orderId`,
`status` (1: printed), `stime` and `sign`. What Feie sends is not in the papers that we have; these fields, and `sign` =
sha1(user + ukey + stime) as on requests, are our choice.

POST /printing/yilianyun: `sign` = md5(client_id + push_time + client_secret), which says who speaks and nothing about
what is said; so tokens hold more than a ticket's number (`vendor_jobs`). `cmd` is oauth_finish (`origin_id`, `state`),
oauth_printStatus (`machine_code`, `state`), or something that is passed over. Answered {"data":"OK"} within 3 s, else
it comes again, three times in all. Whether it comes as a form or as JSON is not stated, so it may be either.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from o2o_platform.errors import Forbidden, Unprocessable
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.printing import remote, vendor_jobs
from o2o_platform.printing.drivers.feie import Feie
from o2o_platform.printing.drivers.vendor import Cloud, Vendor, clouds_of
from o2o_platform.printing.drivers.yilianyun import STATUS, Yilianyun
from o2o_platform.printing.vendor_poll import VendorPoll

log = logging.getLogger("o2o.platform.printing")

MAX_BODY = 64 * 1024


def register(app: FastAPI, ctx: Context) -> None:
    """Open the clouds that there are accounts for; add the routes and the task that asks for what was not told."""
    feie, yilianyun = Feie(ctx.settings), Yilianyun(ctx.settings)
    clouds = clouds_of(ctx)
    vendors: tuple[Vendor, ...] = (feie, yilianyun)
    for vendor in vendors:
        if vendor.configured:
            cloud = clouds[vendor.name] = Cloud(ctx, vendor)
            ctx.background.on_close(cloud.close)
    if clouds:
        ctx.background.add("vendor-poll", VendorPoll(ctx, clouds).run)

    async def settle(token: str, ok: bool, code: str) -> None:
        now = ctx.clock.now()
        await ctx.db.write(lambda conn: vendor_jobs.result(conn, token, ok, code, now))

    @app.post("/printing/feie/{token}/{mark}", tags=["printers"])
    async def feie_told(token: str, mark: str, request: Request) -> Response:
        """Feie says that a job was printed."""
        told = await _fields(request)
        if not (feie.configured and _same(feie.mark(token), mark) and _same(feie.sign(told["stime"]), told["sign"])):
            raise Forbidden("bad_signature", "this is not Feie's word about a job of ours")
        if told["status"] == "1":
            await settle(token, True, "")
        return PlainTextResponse("SUCCESS")

    @app.post("/printing/yilianyun", tags=["printers"])
    async def yilianyun_told(request: Request) -> Response:
        """Yilianyun tells of a job, or of a printer."""
        told = await _fields(request)
        known = yilianyun.configured and told["client_id"] == yilianyun.client_id
        if not (known and _same(yilianyun.sign(told["push_time"]), told["sign"])):
            raise Forbidden("bad_signature", "this is not Yilianyun's word")
        if told["cmd"] == "oauth_finish" and told["state"] in ("1", "2"):
            await settle(told["origin_id"], told["state"] == "1", "cancelled")
        elif told["cmd"] == "oauth_printStatus":
            address, hint = f"yilianyun://{told['machine_code']}", STATUS.get(told["state"], told["state"])
            await ctx.db.write(lambda conn: _hint(conn, address, hint, ctx.clock.now()))
        return reply({"data": "OK"})


def _hint(conn: Connection, address: str, hint: str, now: float) -> None:
    merchant = remote.merchant_at(conn, address)
    if merchant is not None:
        remote.seen(conn, merchant.id, now, hint)


class _Told(dict[str, str]):
    """What was said; what was not said is empty."""

    def __missing__(self, name: str) -> str:
        return ""


async def _fields(request: Request) -> Mapping[str, str]:
    """The fields of a form or of a JSON object, as text. Raises Unprocessable."""
    raw = await request.body()
    if len(raw) > MAX_BODY:
        raise Unprocessable("invalid", "too long")
    if raw[:1] == b"{":
        try:
            told: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise Unprocessable("invalid", str(error)) from None
        fields = {name: str(value) for name, value in told.items()}
    else:
        form = await request.form()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if any("\x00" in value for value in fields.values()):
        raise Unprocessable("invalid", "the character NUL may not be in a text")
    return _Told(fields)


def _same(ours: str, given: str) -> bool:
    return hmac.compare_digest(ours.encode(), given.encode())
