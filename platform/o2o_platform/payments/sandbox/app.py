"""The provider over HTTP (G4).

Decides the routes and that paying is answered before anything else is done:
- POST /pay/{payment_id}: believed by the pay link's signature; charged `confirm_s` after it, told `callback_s` later;
- POST /refunds: signed; a refund has an id, and is given once;
- GET /statement?after=&limit=: the books in pieces, by growing number, signed;
- PUT and GET /plan: how it misbehaves, and how many charges met which fate so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs

import httpx
import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from o2o_platform.errors import PlatformError, Unprocessable, error_response
from o2o_platform.kit.callbacks import Callbacks
from o2o_platform.kit.clock import Clock, SystemClock
from o2o_platform.kit.web import body, reply
from o2o_platform.payments.journal import Journal
from o2o_platform.payments.sandbox.books import Books, Charge, Confirmation
from o2o_platform.payments.sandbox.plan import AS_ASKED, Plan, Standing
from o2o_platform.payments.sandbox.telling import Post, Telling
from o2o_platform.payments.signing import HEADER, charge, holds, sign

PAGE = 10_000
MAX_PAGE = 50_000
"""Charges on a page of the statement: by default, and at most."""


class RefundBody(Struct, frozen=True):
    """Body of POST /refunds: give `amount_fen` of this payment back, once under this id."""

    refund_id: Annotated[str, Meta(min_length=1, max_length=64)]
    payment_id: int
    amount_fen: Annotated[int, Meta(ge=0)]


_CONFIRMATION = msgspec.json.Decoder(Confirmation)
_REFUND = msgspec.json.Decoder(RefundBody)
_PLAN = msgspec.json.Decoder(Plan)
_AS_IS = Confirmation()


class Provider:
    """Books, plan and callbacks behind the routes."""

    def __init__(
        self,
        secret: str,
        clock: Clock,
        posts: Sequence[Post],
        close: Callable[[], Awaitable[None]],
        journal: Journal | None = None,
    ) -> None:
        self.books = Books(journal)
        self.charges = self.books.charges
        self.turned_away = 0
        """Requests that were answered 503 because the plan said so."""
        self._secret = secret
        self._clock = clock
        self._close = close
        self._telling = Telling(self.books, secret, clock, posts)
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """All but POST /pay, which `front` answers."""
        return [
            Route("/refunds", self._refund, methods=["POST"]),
            Route("/statement", self._statement, methods=["GET"]),
            Route("/plan", self._put_plan, methods=["PUT"]),
            Route("/plan", self._get_plan, methods=["GET"]),
            Route("/healthz", self._healthz, methods=["GET"]),
        ]

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Go on with what the journal left open; at the end, drop the callbacks that are still to come."""
        for known in self.charges.values():
            if known.callbacks == 0 and not (known.how.silent and known.confirmed is not None):
                self._spawn(known)
        try:
            yield
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()
            self.books.close()

    def down(self) -> Response | None:
        """The answer while the plan has the provider down."""
        for_s = self.books.standing.down_for(self._clock.now())
        if for_s <= 0.0:
            return None
        self.turned_away += 1
        return error_response(503, "down", f"for {for_s:.1f} s", {"Retry-After": str(int(for_s) + 1)})

    def pay(self, payment_id: int, query: str, raw: bytes) -> Response:
        """POST /pay/{payment_id}."""
        given = parse_qs(query)
        amount = given.get("amount_fen", [""])[0]
        if not amount.isdecimal():
            return error_response(422, "invalid", "amount_fen must be a whole number")
        if not holds(self._secret, charge(payment_id, int(amount)), given.get("sig", [""])[0]):
            return error_response(403, "bad_signature", "this pay link is not the platform's")
        known = self.charges.get(payment_id)
        if known is None:
            try:
                how = _CONFIRMATION.decode(raw) if raw else _AS_IS
            except msgspec.DecodeError as exc:
                return error_response(422, "invalid", str(exc))
            known = self._open(payment_id, int(amount), how)
        return Response(
            b'{"payment_id":%d,"state":"%b"}' % (payment_id, known.state.encode()), 202, media_type="application/json"
        )

    def _open(self, payment_id: int, amount_fen: int, how: Confirmation) -> Charge:
        drawn, now = self.books.standing.draw(payment_id), self._clock.now()
        if drawn.fate != AS_ASKED:
            how = _bent(how, drawn.fate, drawn.late_s, max(amount_fen + drawn.beside_fen, 1))
        made = Charge(payment_id, amount_fen, "pending", now, fate=drawn.fate, how=how)
        if not how.confirm_s:
            _confirm(made, now)
        self.books.open(made, now)
        if not how.silent or how.confirm_s:
            self._spawn(made)
        return made

    def _spawn(self, known: Charge) -> None:
        task = asyncio.create_task(self._run(known))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, known: Charge) -> None:
        if known.confirmed is None:
            await self._clock.sleep(known.how.confirm_s)
            now = self._clock.now()
            _confirm(known, now)
            self.books.changed(known, now)
        await self._telling.tell(known)

    async def _refund(self, request: Request) -> Response:
        raw = await request.body()
        if not holds(self._secret, raw, request.headers.get(HEADER, "")):
            return error_response(403, "bad_signature", "this does not come from the platform")
        wanted = await body(request, _REFUND)
        known = self.charges.get(wanted.payment_id)
        if known is None or known.state != "ok":
            return error_response(404, "no_such_charge", f"payment {wanted.payment_id} was not charged")
        if not self.books.refund(known, wanted.refund_id, wanted.amount_fen, self._clock.now()):
            detail = f"{wanted.amount_fen} fen more than {known.refunded_fen} of {known.taken_fen}"
            return error_response(422, "bad_amount", detail)
        return reply({"payment_id": known.payment_id, "refunded_fen": known.refunded_fen})

    async def _statement(self, request: Request) -> Response:
        given = request.query_params
        after, limit = given.get("after", "0"), given.get("limit", str(PAGE))
        if not after.isdecimal() or not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE:
            raise Unprocessable("invalid", f"after and limit must be whole numbers, limit 1 to {MAX_PAGE}")
        answer = reply(self.books.page(int(after), int(limit)))
        answer.headers[HEADER] = sign(self._secret, bytes(answer.body))
        return answer

    async def _put_plan(self, request: Request) -> Response:
        plan = await body(request, _PLAN)
        if not plan.fits():
            raise Unprocessable("invalid", "the shares are more than all")
        self.books.plan(Standing(plan, self._clock.now()))
        return await self._get_plan(request)

    async def _get_plan(self, request: Request) -> Response:
        books = self.books
        counts = {"charges": len(books.charges), **books.fates, "turned_away": self.turned_away}
        counts["to_tell"] = len(self._tasks)
        return reply({"plan": books.standing.plan, "counts": counts})

    async def _healthz(self, request: Request) -> Response:
        return reply({"status": "ok"})


def _confirm(known: Charge, now: float) -> None:
    """The user has confirmed: the money is taken, or not."""
    how = known.how
    known.state, known.confirmed = how.outcome, now
    if how.outcome == "ok":
        known.taken_fen = known.amount_fen if how.taken_fen is None else how.taken_fen


def _bent(how: Confirmation, fate: str, late_s: float, wrong_fen: int) -> Confirmation:
    """How it goes under this fate."""
    changes: dict[str, dict[str, Any]] = {
        "late": {"callback_s": min(how.callback_s + late_s, 86_400.0)},
        "lost": {"silent": True},
        "doubled": {"duplicates": max(how.duplicates, 1)},
        "out_of_order": {"stale_refusal": True},
        "refused": {"outcome": "refused"},
        "amount_wrong": {"taken_fen": wrong_fen},
    }
    return msgspec.structs.replace(how, **changes[fate])


class _Front:
    """POST /pay before any routing, and 503 to everybody while the provider is down (but to who plans and watches)."""

    def __init__(self, app: ASGIApp, provider: Provider) -> None:
        self._app = app
        self._provider = provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ("/plan", "/healthz"):
            await self._app(scope, receive, send)
            return
        down = self._provider.down()
        if down is not None:
            await down(scope, receive, send)
            return
        _, _, number = scope["path"].partition("/pay/")
        if scope["method"] == "POST" and number.isdecimal() and scope["path"].startswith("/pay/"):
            raw = await _body(receive)
            await self._provider.pay(int(number), scope["query_string"].decode("latin-1"), raw)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def create_sandbox(
    platform_url: str | Sequence[str],
    secret: str,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    journal: Path | None = None,
) -> Starlette:
    """The provider as an ASGI app; `app.state.provider` is its books.

    `platform_url`: where the platform is told, or several such places. `journal` is the file that lets it go on after
    it was killed. `transport` replaces the network in tests.
    """
    places = [platform_url] if isinstance(platform_url, str) else list(platform_url)
    urls = [f"{place.rstrip('/')}/payments/callback" for place in places]
    posts, close = _over_sockets(urls) if transport is None else _over(transport, urls)
    book = Journal(journal) if journal is not None else None
    provider = Provider(secret, clock or SystemClock(), posts, close, book)

    async def platform_error(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, PlatformError)
        return error_response(exc.status, exc.code, exc.detail)

    app = Starlette(
        routes=provider.routes(), lifespan=provider.lifespan, exception_handlers={PlatformError: platform_error}
    )
    app.add_middleware(_Front, provider=provider)
    app.state.provider = provider
    return app


def _over_sockets(urls: Sequence[str]) -> tuple[list[Post], Callable[[], Awaitable[None]]]:
    clients = [Callbacks(url) for url in urls]

    async def close() -> None:
        for client in clients:
            await client.close()

    return [client.post for client in clients], close


def _over(transport: httpx.AsyncBaseTransport, urls: Sequence[str]) -> tuple[list[Post], Callable[[], Awaitable[None]]]:
    client = httpx.AsyncClient(transport=transport)

    def to(url: str) -> Post:
        async def post(body: bytes, headers: dict[str, str]) -> int:
            return (await client.post(url, content=body, headers=headers)).status_code

        return post

    return [to(url) for url in urls], client.aclose
