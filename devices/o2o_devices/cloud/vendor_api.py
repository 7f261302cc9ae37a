"""Over HTTP: the APIs of two vendors, as far as they are known, and the stand-in's own (A14).

Decides who is believed (a request is signed, its signature is checked before anything else is looked at) and what is
answered. A job is on file before its request is answered.

- POST /Api/Open/ (Feie): Open_printMsg, Open_queryOrderState, Open_queryPrinterStatus, Open_queryOrderInfoByDate.
- POST /print/index, /printer/getprintstatus, /printer/getorderstatus, /printer/cancelone (Yilianyun).
- GET /healthz, GET and PUT /plan, GET /jobs, POST /printers/{brand}/{serial}/{what}: of the stand-in.

Fields, paths and figures that the vendors' papers do not state are ours; docs/printers.md names them. So are all error
numbers: what a client may rely on is that they are not 0.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from o2o_devices.cloud.vendor import VendorCloud, feie_sign, yilianyun_sign
from o2o_devices.cloud.vendor_book import Brand, Job
from o2o_devices.cloud.vendor_plan import Plan
from o2o_devices.cloud.vendor_printer import OFFLINE, ONLINE, VendorPrinter
from o2o_devices.control import Control
from o2o_devices.fleet import Fleet

MAX_EXPIRED_S = 86_400
MAX_ORIGIN_BYTES = 64
FEIE_STATUS = {OFFLINE: "离线", ONLINE: "在线，工作状态正常"}
"""By what the cloud believes; anything else is 在线，工作状态不正常."""
ACTIONS: Mapping[str, Callable[[Control], None]] = {
    "offline": Control.offline,
    "online": Control.online,
    "paper_end": Control.paper_end,
    "refill": Control.refill,
    "open_cover": Control.open_cover,
    "close_cover": Control.close_cover,
    "power_cut": Control.power_cut,
    "power_on": Control.power_on,
    "lose_ack": Control.lose_acks,
}
_STATES = {"printed": 1, "cancelled": 2}


def create_vendor_cloud(cloud: VendorCloud, fleet: Fleet | None = None) -> Starlette:
    """The cloud as an ASGI app, whose life is the cloud's and that of `fleet`, the printers behind it.

    None: they come and go by themselves.
    """
    api = _Api(cloud)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        await cloud.start()
        if fleet is not None:
            await fleet.start()
        try:
            yield
        finally:
            if fleet is not None:
                await fleet.stop()
            await cloud.stop()

    app = Starlette(
        lifespan=life,
        routes=[
            Route("/Api/Open/", api.feie, methods=["POST"]),
            Route("/print/index", api.yilianyun_print, methods=["POST"]),
            Route("/printer/getprintstatus", api.yilianyun_status, methods=["POST"]),
            Route("/printer/getorderstatus", api.yilianyun_order, methods=["POST"]),
            Route("/printer/cancelone", api.yilianyun_cancel, methods=["POST"]),
            Route("/healthz", api.healthz, methods=["GET"]),
            Route("/plan", api.get_plan, methods=["GET"]),
            Route("/plan", api.put_plan, methods=["PUT"]),
            Route("/jobs", api.jobs, methods=["GET"]),
            Route("/printers/{brand}/{serial}/{what}", api.act, methods=["POST"]),
        ],
    )
    app.state.cloud = cloud
    return app


class _Api:
    def __init__(self, cloud: VendorCloud) -> None:
        self._cloud = cloud

    # --- Feie --------------------------------------------------------------------------------------------------------

    async def feie(self, request: Request) -> Response:
        form = await _form(request)
        account = self._cloud.account
        signed = account.feie_ukey and form.get("user") == account.feie_user
        if not (signed and _same(feie_sign(account, form.get("stime", "")), form.get("sig", ""))):
            return _feie(-2, "the signature does not hold")
        calls = {
            "Open_printMsg": self._feie_print,
            "Open_queryOrderState": self._feie_order,
            "Open_queryPrinterStatus": self._feie_status,
            "Open_queryOrderInfoByDate": self._feie_day,
        }
        call = calls.get(form.get("apiname", ""))
        return _feie(-3, "no such apiname") if call is None else await call(form)

    async def _feie_print(self, form: Mapping[str, str]) -> Response:
        printer = self._cloud.printers.get(("feie", form.get("sn", "")))
        now, expired = self._cloud.now(), form.get("expired", "")
        if printer is None:
            return _feie(1002, "no such printer")
        if not form.get("content"):
            return _feie(1003, "nothing to print")
        if expired and not (expired.isdecimal() and int(expired) <= now + MAX_EXPIRED_S):
            return _feie(1004, "expired: unix seconds within 24 h")
        job = self._cloud.take(
            printer,
            form["content"],
            expires=float(expired) if expired else None,
            backurl=form.get("backurl", ""),
        )
        await self._hang(job)
        return _feie(0, "ok", job.id)

    async def _feie_order(self, form: Mapping[str, str]) -> Response:
        job = self._cloud.book.jobs.get(form.get("orderid", ""))
        if job is None or job.brand != "feie":
            return _feie(1005, "no such order")
        self._cloud.expire(job)
        return _feie(0, "ok", job.state == "printed")

    async def _feie_status(self, form: Mapping[str, str]) -> Response:
        printer = self._cloud.printers.get(("feie", form.get("sn", "")))
        if printer is None:
            return _feie(1002, "no such printer")
        return _feie(0, "ok", FEIE_STATUS.get(printer.believed(), "在线，工作状态不正常"))

    async def _feie_day(self, form: Mapping[str, str]) -> Response:
        """Counts of a printer's jobs (of all days: the stand-in keeps no calendar)."""
        mine = [job for job in self._cloud.book.jobs.values() if job.serial == form.get("sn")]
        done = sum(job.state == "printed" for job in mine)
        return _feie(0, "ok", {"print": done, "waiting": sum(job.state == "waiting" for job in mine)})

    # --- Yilianyun ---------------------------------------------------------------------------------------------------

    async def _signed(self, request: Request) -> dict[str, str] | Response:
        form = await _form(request)
        account = self._cloud.account
        if not (
            account.client_secret
            and form.get("client_id") == account.client_id
            and _same(account.access_token, form.get("access_token", ""))
            and _same(yilianyun_sign(account, form.get("timestamp", "")), form.get("sign", ""))
        ):
            return _yilianyun("2", "the signature or the access token does not hold")
        return form

    async def yilianyun_print(self, request: Request) -> Response:
        form = await self._signed(request)
        if isinstance(form, Response):
            return form
        serial, origin_id = form.get("machine_code", ""), form.get("origin_id", "")
        printer = self._cloud.printers.get(("yilianyun", serial))
        if printer is None:
            return _yilianyun("4", "no such printer")
        if not form.get("content") or not 1 <= len(origin_id.encode()) <= MAX_ORIGIN_BYTES:
            return _yilianyun("5", "content and an origin_id of at most 64 bytes are needed")
        known = (
            self._cloud.book.before(serial, origin_id, self._cloud.now()) if form.get("idempotence") == "1" else None
        )
        job = known or self._cloud.take(printer, form["content"], origin_id=origin_id)
        if known is None:
            await self._hang(job)
        return _yilianyun("0", "success", {"id": job.id, "origin_id": origin_id})

    async def yilianyun_status(self, request: Request) -> Response:
        form = await self._signed(request)
        if isinstance(form, Response):
            return form
        printer = self._cloud.printers.get(("yilianyun", form.get("machine_code", "")))
        if printer is None:
            return _yilianyun("4", "no such printer")
        return _yilianyun("0", "success", {"state": str(printer.believed())})

    async def yilianyun_order(self, request: Request) -> Response:
        job = await self._its_job(request)
        return job if isinstance(job, Response) else _order(job)

    async def yilianyun_cancel(self, request: Request) -> Response:
        job = await self._its_job(request)
        if isinstance(job, Response):
            return job
        self._cloud.withdraw(job)
        return _order(job)

    async def _its_job(self, request: Request) -> Job | Response:
        form = await self._signed(request)
        if isinstance(form, Response):
            return form
        job = self._cloud.book.jobs.get(form.get("order_id", ""))
        if job is None or job.serial != form.get("machine_code"):
            return _yilianyun("6", "no such order")
        return job

    async def _hang(self, job: Job) -> None:
        if job.fate == "unanswered":
            await asyncio.sleep(self._cloud.plan.hang_s)

    # --- the stand-in's own ------------------------------------------------------------------------------------------

    async def healthz(self, request: Request) -> Response:
        return _json({"status": "ok"})

    async def get_plan(self, request: Request) -> Response:
        return _json({"plan": self._cloud.plan, "counts": self._cloud.counts()})

    async def put_plan(self, request: Request) -> Response:
        try:
            self._cloud.plan = msgspec.json.decode(await request.body(), type=Plan)
        except msgspec.DecodeError as error:
            return _json({"error": str(error)}, 422)
        return await self.get_plan(request)

    async def jobs(self, request: Request) -> Response:
        self._cloud.counts()  # drops what has expired
        return _json(list(self._cloud.book.jobs.values()))

    async def act(self, request: Request) -> Response:
        path = request.path_params
        printer = self._cloud.printers.get((cast(Brand, path["brand"]), path["serial"]))
        action = ACTIONS.get(path["what"])
        if printer is None or action is None:
            return _json({"error": f"no such printer, or none of {', '.join(ACTIONS)}"}, 404)
        action(Control(printer))
        return _json(_looks(printer))


def _looks(printer: VendorPrinter) -> dict[str, Any]:
    return {"serial": printer.serial, "believed": printer.believed(), "stopped_by": printer.machine.stopped_by()}


def _order(job: Job) -> Response:
    return _yilianyun("0", "success", {"id": job.id, "status": _STATES.get(job.state, 0)})


def _feie(ret: int, msg: str, data: object = None) -> Response:
    return _json({"ret": ret, "msg": msg, "data": data, "serverExecutedTime": 0})


def _yilianyun(error: str, description: str, body: object = None) -> Response:
    return _json({"error": error, "error_description": description, "body": body or {}})


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _form(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _same(ours: str, given: str) -> bool:
    return hmac.compare_digest(ours.encode(), given.encode())
