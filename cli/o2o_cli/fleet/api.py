"""The control room of a running fleet over HTTP: printers, counters, receipts, orders and faults.

Decides routes and answers; what may be ordered is `o2o_devices.desk`'s. Nobody has to show who they are, so it listens
on loopback only, answers to loopback names only, and takes orders as application/json only: no web page that somebody
has open can give one.

    GET  /                                  what the fleet is
    GET  /figures                           memory, CPU, tickets and faults, by process and in all (since the last look)
    GET  /orders                            what can be ordered
    GET  /printers?first=0&count=50         printers in short
    GET  /printers/7                        one, with all that is counted
    POST /printers/7/orders                 {"what": "paper_end", "when": "next", "after_mm": 30, "repair_s": 5}
    GET  /printers/7/receipts               its last receipts, oldest first
    GET  /printers/7/receipts/0.txt, 0.png  the last one as a person sees it; 1: the one before
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from o2o_cli.fleet.figures import PartFigures, rows
from o2o_cli.fleet.parts import Parts
from o2o_devices.desk import ORDERS, unpacked
from o2o_devices.errors import ControlError, FleetError
from o2o_devices.faults import KINDS, REPORTS
from o2o_devices.mechanism import Profile
from o2o_devices.receipt import Receipt
from o2o_devices.show import as_text

MOST = 1000
"""Printers in one answer."""
_BODY_BYTES = 4096
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")


def control_app(parts: Parts) -> Starlette:
    """The app over a fleet's parts."""
    room = _Room(parts)
    routes = [
        Route("/", room.about),
        Route("/figures", room.figures),
        Route("/orders", room.orders),
        Route("/printers", room.printers),
        Route("/printers/{number:int}", room.printer),
        Route("/printers/{number:int}/orders", room.order, methods=["POST"]),
        Route("/printers/{number:int}/receipts", room.receipts),
        Route("/printers/{number:int}/receipts/{back:int}.txt", room.text),
        Route("/printers/{number:int}/receipts/{back:int}.png", room.picture),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK))],
        exception_handlers={ControlError: _bad, FleetError: _unknown},
    )


async def _bad(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _unknown(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404)


class _Room:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._last: list[PartFigures] = []

    async def about(self, request: Request) -> Response:
        spec = self._parts.spec
        about = {
            "printers": spec.count,
            "processes": len(self._parts),
            "profile": spec.profile,
            "transport": spec.transport,
            "receipts_kept": spec.keep,
        }
        return JSONResponse(about)

    async def figures(self, request: Request) -> Response:
        found = await self._parts.figures()
        told = [_plain(row) for row in rows(found, self._last)]
        self._last = found
        return JSONResponse({"processes": told[:-1], "all": told[-1]})

    async def orders(self, request: Request) -> Response:
        orders = {
            name: {"what": order.what, "figures": [figure.name for figure in order.figures]}
            for name, order in ORDERS.items()
        }
        faults = {kind: {"what": REPORTS[kind], "figures": ["after_mm", "repair_s"]} for kind in KINDS}
        return JSONResponse({"orders": orders, "faults": faults})

    async def printers(self, request: Request) -> Response:
        first = _number(request, "first", 0, 0)
        count = _number(request, "count", 50, 1)
        if count > MOST:
            raise ControlError(f"count: at most {MOST} at once")
        return JSONResponse(await self._parts.printers(first, count))

    async def printer(self, request: Request) -> Response:
        number = request.path_params["number"]
        return JSONResponse(await self._parts.of(number, "printer"))

    async def order(self, request: Request) -> Response:
        number, wanted = request.path_params["number"], await _json(request)
        what, when = wanted.pop("what", None), wanted.pop("when", "now")
        if not isinstance(what, str):
            raise ControlError('an order is {"what": NAME, "when": "now" or "next", and its figures}; see /orders')
        if when not in ("now", "next"):
            raise ControlError(f'when: "now" or "next" (ticket) is wanted, not {when!r}')
        return JSONResponse(await self._parts.of(number, "order", what=what, when=when, figures=wanted))

    async def receipts(self, request: Request) -> Response:
        number = request.path_params["number"]
        kept = await self._parts.of(number, "receipts")
        told = []
        for one in kept:
            receipt = unpacked(one["packed"])
            told.append(
                {
                    "at": one["at"],
                    "time": datetime.fromtimestamp(one["at"], UTC).isoformat(timespec="milliseconds"),
                    "complete": receipt.complete,
                    "stopped_by": receipt.stopped_by,
                    "length_mm": round(receipt.length_mm, 1),
                    "lines": list(receipt.text_lines),
                    "qr": list(receipt.qr),
                    "packed": one["packed"],
                }
            )
        return JSONResponse(told)

    async def text(self, request: Request) -> Response:
        receipt, profile = await self._receipt(request)
        return PlainTextResponse(as_text(receipt, profile) + "\n")

    async def picture(self, request: Request) -> Response:
        from o2o_devices.picture import as_png  # starts a renderer: only who asks for pictures waits for it

        receipt, profile = await self._receipt(request)
        return Response(await asyncio.to_thread(as_png, receipt, profile), media_type="image/png")

    async def _receipt(self, request: Request) -> tuple[Receipt, Profile]:
        number, back = request.path_params["number"], request.path_params["back"]
        kept = await self._parts.of(number, "receipts")
        if back >= len(kept):
            raise FleetError(f"printer {number}: {len(kept)} receipts are kept, there is no number {back}")
        return unpacked(kept[-1 - back]["packed"]), self._parts.spec.profile_of(number)


def _plain(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def _number(request: Request, name: str, default: int, least: int) -> int:
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given) >= least):
        raise ControlError(f"{name}: a whole number from {least} on is wanted, not {given!r}")
    return int(given)


async def _json(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise ControlError("Content-Type: application/json is wanted")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES:
            raise ControlError(f"an order has at most {_BODY_BYTES} bytes")
    try:
        found = json.loads(body)
    except ValueError:
        raise ControlError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise ControlError("the body is not a JSON object")
    return found
