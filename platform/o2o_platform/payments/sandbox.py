"""A payment provider in a sandbox: charges nobody, behaves like one that does (G4).

Its own ASGI app, on its own port; the platform knows it by URL and shared secret only. Decides: a charge is believed by
the pay link's signature, confirmed `confirm_s` after the user asked, told to the platform `callback_s` after that, and
told again with a growing pause until the platform answers 2xx. Modes per payment: latency (`confirm_s`, `callback_s`),
error (`outcome` "refused"), duplicate (`duplicates` more callbacks), silence (`silent`: the money is taken, the
callback never comes). GET /statement is
the provider's side for the audit. The books are in memory and, if a `journal` is named, on file: then a provider that
was killed goes on where it was, and tells the platform what it has not told yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from o2o_platform.errors import PlatformError, error_response
from o2o_platform.kit.callbacks import Callbacks
from o2o_platform.kit.clock import Clock, SystemClock
from o2o_platform.kit.web import body, reply
from o2o_platform.payments.journal import Journal
from o2o_platform.payments.signing import HEADER, charge, holds, sign

log = logging.getLogger("o2o.sandbox")

BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
MAX_CALLS = 20
"""A callback that failed this often is given up; the statement still tells."""

Post = Callable[[bytes, dict[str, str]], Awaitable[int]]

Delay = Annotated[float, Meta(ge=0, le=86_400)]


class Confirmation(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /pay/{payment_id}: how this user and this provider behave this time."""

    confirm_s: Delay = 0.0
    callback_s: Delay = 0.0
    outcome: Literal["ok", "refused"] = "ok"
    duplicates: Annotated[int, Meta(ge=0, le=10)] = 0
    silent: bool = False


class RefundBody(Struct, frozen=True):
    """Body of POST /refunds: the whole amount to have been given back of this payment."""

    payment_id: int
    amount_fen: int


class Charge(Struct):
    """The provider's book of one payment; times are unix seconds."""

    payment_id: int
    amount_fen: int
    state: str  # pending | ok | refused
    asked: float
    confirmed: float | None = None
    refunded_fen: int = 0
    callbacks: int = 0
    """Callbacks that the platform has answered with 2xx."""
    how: Confirmation = Confirmation()


class Provider:
    """The books and the callbacks. `post` tells the platform: fn(body, headers) -> status, OSError without answer."""

    def __init__(
        self,
        secret: str,
        clock: Clock,
        post: Post,
        close: Callable[[], Awaitable[None]],
        journal: Journal | None = None,
    ) -> None:
        self.charges: dict[int, Charge] = {}
        self._journal = journal
        for known in journal.last.values() if journal else ():
            self.charges[known["payment_id"]] = msgspec.convert(known, Charge)
        self._secret = secret
        self._clock = clock
        self._post = post
        self._close = close
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """POST /pay/{payment_id}, POST /refunds, GET /statement, GET /healthz."""
        return [
            Route("/pay/{payment_id:int}", self._pay, methods=["POST"]),
            Route("/refunds", self._refund, methods=["POST"]),
            Route("/statement", self._statement, methods=["GET"]),
            Route("/healthz", self._healthz, methods=["GET"]),
        ]

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Go on with what the journal left open; at the end, drop the callbacks that are still to come."""
        for known in self.charges.values():
            if known.callbacks == 0:
                self._spawn(known)
        try:
            yield
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()
            if self._journal is not None:
                self._journal.close()

    def _spawn(self, charge: Charge) -> None:
        task = asyncio.create_task(self._run(charge))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note(self, charge: Charge) -> None:
        if self._journal is not None:
            self._journal.note(msgspec.structs.asdict(charge))

    async def _pay(self, request: Request) -> Response:
        payment_id = int(request.path_params["payment_id"])
        try:
            amount = int(request.query_params.get("amount_fen", ""))
        except ValueError:
            return error_response(422, "invalid", "amount_fen must be a whole number")
        if not holds(self._secret, charge(payment_id, amount), request.query_params.get("sig", "")):
            return error_response(403, "bad_signature", "this pay link is not the platform's")
        how = await body(request, _CONFIRMATION) if await request.body() else Confirmation()
        known = self.charges.get(payment_id)
        if known is None:
            known = self.charges[payment_id] = Charge(payment_id, amount, "pending", self._clock.now(), how=how)
            self._note(known)
            self._spawn(known)
        return reply({"payment_id": payment_id, "state": known.state}, 202)

    async def _refund(self, request: Request) -> Response:
        raw = await request.body()
        if not holds(self._secret, raw, request.headers.get(HEADER, "")):
            return error_response(403, "bad_signature", "this does not come from the platform")
        wanted = await body(request, _REFUND)
        known = self.charges.get(wanted.payment_id)
        if known is None or known.state != "ok":
            return error_response(404, "no_such_charge", f"payment {wanted.payment_id} was not charged")
        if not 0 <= wanted.amount_fen <= known.amount_fen:
            return error_response(422, "bad_amount", f"{wanted.amount_fen} of {known.amount_fen}")
        known.refunded_fen = max(known.refunded_fen, wanted.amount_fen)
        self._note(known)
        return reply({"payment_id": known.payment_id, "refunded_fen": known.refunded_fen})

    async def _statement(self, request: Request) -> Response:
        return reply({"charges": [self._entry(charge) for charge in self.charges.values()]})

    async def _healthz(self, request: Request) -> Response:
        return reply({"status": "ok"})

    @staticmethod
    def _entry(charge: Charge) -> dict[str, Any]:
        return {
            "payment_id": charge.payment_id,
            "state": charge.state,
            "amount_fen": charge.amount_fen,
            "charged_fen": charge.amount_fen if charge.state == "ok" else 0,
            "refunded_fen": charge.refunded_fen,
            "asked": charge.asked,
            "confirmed": charge.confirmed,
            "callbacks": charge.callbacks,
        }

    async def _run(self, charge: Charge) -> None:
        how = charge.how
        if charge.confirmed is None:
            if how.confirm_s:
                await self._clock.sleep(how.confirm_s)
            charge.state = how.outcome
            charge.confirmed = self._clock.now()
            self._note(charge)
        if how.silent:
            return
        if how.callback_s:
            await self._clock.sleep(how.callback_s)
        message = msgspec.json.encode(
            {
                "payment_id": charge.payment_id,
                "outcome": charge.state,
                "amount_fen": charge.amount_fen,
                "confirmed": charge.confirmed,
            }
        )
        for _ in range(1 + how.duplicates):
            await self._tell(charge, message)

    async def _tell(self, charge: Charge, message: bytes) -> None:
        headers = {HEADER: sign(self._secret, message), "Content-Type": "application/json"}
        pause = BACKOFF_S
        for _ in range(MAX_CALLS):
            try:
                status = await self._post(message, headers)
                if 200 <= status < 300:
                    charge.callbacks += 1
                    self._note(charge)
                    return
                log.warning("callback of payment %s: the platform answers %s", charge.payment_id, status)
            except OSError as exc:
                log.warning("callback of payment %s: %s", charge.payment_id, exc or type(exc).__name__)
            await self._clock.sleep(pause)
            pause = min(pause * 2, MAX_BACKOFF_S)


_CONFIRMATION = msgspec.json.Decoder(Confirmation)
_REFUND = msgspec.json.Decoder(RefundBody)


def create_sandbox(
    platform_url: str,
    secret: str,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    journal: Path | None = None,
) -> Starlette:
    """The provider as an ASGI app; `app.state.provider` is its books.

    `journal` is the file that lets it go on after it was killed. `transport` replaces the network in tests.
    """
    book = Journal(journal) if journal is not None else None
    url = f"{platform_url.rstrip('/')}/payments/callback"
    if transport is None:
        lean = Callbacks(url)
        provider = Provider(secret, clock or SystemClock(), lean.post, lean.close, book)
    else:
        client = httpx.AsyncClient(transport=transport)

        async def post(body: bytes, headers: dict[str, str]) -> int:
            return (await client.post(url, content=body, headers=headers)).status_code

        provider = Provider(secret, clock or SystemClock(), post, client.aclose, book)

    async def platform_error(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, PlatformError)
        return error_response(exc.status, exc.code, exc.detail)

    app = Starlette(
        routes=provider.routes(), lifespan=provider.lifespan, exception_handlers={PlatformError: platform_error}
    )
    app.state.provider = provider
    return app
