"""Epson Server Direct Print and Status Notification, the server's side: one URL for all printers (A14).

    POST /epson    ConnectionType=GetRequest | SetResponse | SetStatus, and the printer's ID; see `epson_wire`

Decides what each request writes. What codes and bits mean is `o2o_domain.epson`; the tickets' steps are
`printing.remote`. All state is in the database: any worker answers any request, and one that was killed is not missed.
- GetRequest with nothing to print reads one row by its index, writes nothing and is answered with nothing. Else the
  head of the queue is offered and taken in one transaction, before its first byte leaves. There is one job in an answer
  and one job out at a time: the protocol has room for more, and then a lost answer would leave all of them unconfirmed;
- the manual has no rule for a job that comes twice, so no ticket is ever sent twice: not to a printer that asks again
  while its last job is out, not after a lost answer. The queue waits for the result, `print_result_s` at most; then
  the ticket is unconfirmed and the next one goes;
- SetResponse may come late and again (a printer repeats it until it is answered with 200): the first one counts, and
  one that comes after the ticket became unconfirmed is believed. It names its ticket; what names none, or one that is
  not this printer's, changes no ticket, except that a whole answer which the printer could not take leaves the job that
  is out unconfirmed: a refusal without an id, too, may be late, and about another job;
- a printer that names trouble, in a result or a SetStatus, gets nothing for `HOLD_S`, unless it says that it is well;
- what cannot be read is answered with 200 and logged: anything else would be sent again for ever.

Who has set a secret for a printer has it shown here: Digest authentication, the user being the printer's ID (`digest`).
A request with neither ID nor credentials is what firmware sends to be challenged.
"""

from __future__ import annotations

import hmac
import logging
from typing import NamedTuple

import msgspec
from fastapi import FastAPI
from sqlalchemy import Connection, bindparam, literal_column, select
from starlette.requests import Request
from starlette.responses import Response

from o2o_domain.epson import Judged, Verdict, held, judge, told, trouble
from o2o_domain.printers import printer_address
from o2o_domain.refusal import Refused
from o2o_domain.tickets import PrintPolicy, TicketState
from o2o_platform.errors import NotFound, Unprocessable, error_response
from o2o_platform.hot_lane import PUBLIC
from o2o_platform.kit import logs
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.merchants.tables import merchants
from o2o_platform.printing import remote, signs
from o2o_platform.printing.job import Job, ticket_of
from o2o_platform.printing.media import epos
from o2o_platform.printing.protocols import digest
from o2o_platform.printing.protocols import epson_wire as wire
from o2o_platform.printing.repository import OPEN, REMOTE
from o2o_platform.printing.tables import printer_signs, tickets

log = logging.getLogger("o2o.platform.printing")

PATH = "/epson"
REALM = "o2o printers"


class Sign(msgspec.Struct, omit_defaults=True):
    """What is kept of a printer's word about itself."""

    at: float
    trouble: str | None = None
    asb: str | None = None
    """The status word, hexadecimal."""


_sign = msgspec.json.Decoder(Sign)
_UNDER_WAY = tickets.c.state.in_([literal_column(f"'{state}'") for state in OPEN])
_LOOK = Prepared(
    select(
        merchants.c.id,
        merchants.c.printer_secret,
        printer_signs.c.status,
        printer_signs.c.detail,
        select(tickets.c.state)
        .where(tickets.c.merchant_id == merchants.c.id, _UNDER_WAY)
        .order_by(tickets.c.id)
        .limit(1)
        .scalar_subquery()
        .label("head_state"),
    )
    .select_from(merchants.outerjoin(printer_signs, printer_signs.c.merchant_id == merchants.c.id))
    .where(merchants.c.printer_url == bindparam("url"))
)
"""The merchant behind an ID, what its printer last said, and the state of the first ticket that is under way."""
_OUT = Prepared(
    select(tickets.c.id)
    .where(
        tickets.c.merchant_id == bindparam("merchant_id"),
        _UNDER_WAY,
        tickets.c.state == literal_column("'claimed'"),
        tickets.c.claimed_by == literal_column(str(REMOTE)),
    )
    .order_by(tickets.c.id)
    .limit(1)
)


def register(app: FastAPI, ctx: Context, heard: signs.Signs) -> None:
    """Add the route."""
    ctx.hot.add(app, "POST", PATH, _Server(ctx, heard).answer, PUBLIC, tag="printers")


class Became(NamedTuple):
    """What a result did to a ticket, and the printer's own words where it refused a whole answer."""

    ticket_id: int
    judged: Judged
    words: str = ""


class _Server:
    def __init__(self, ctx: Context, heard: signs.Signs) -> None:
        self._ctx = ctx
        self._heard = heard
        key = hmac.digest(ctx.settings.jwt_secret.encode(), b"digest authentication of printers", "sha256")
        self._digest = digest.Digest(REALM, key)

    async def answer(self, request: Request, user: None) -> Response:
        """A printer asks for its job, or tells how one went, or how it is itself."""
        form = wire.form(await _body(request))
        shown = request.headers.get("authorization", "")
        name = form.printer_id or (digest.fields_of(shown) or {}).get("username", "")
        if not name:
            return self._challenge(stale=False)
        found = await self._who(name)
        if found.printer_secret is not None:
            now, target = self._ctx.clock.now(), _target(request)
            verdict = self._digest.check(shown, "POST", target, name, found.printer_secret, now)
            if verdict is not digest.Verdict.RIGHT:
                return self._challenge(stale=verdict is digest.Verdict.STALE)
        if form.kind == "GetRequest":
            return await self._job(found)
        try:
            if form.kind == "SetResponse":
                await self._results(found.id, wire.report(form.file))
            elif form.kind == "SetStatus":
                await self._status(found.id, wire.statuses(form.file))
        except Unprocessable as error:
            log.warning("merchant %s: a printer's %s cannot be read: %s", found.id, form.kind, error)
        return _empty()

    async def _who(self, name: str) -> Record:
        """The merchant whose printer this is. Raises NotFound."""
        address = printer_address(f"epson://{name}")
        found = None
        if not isinstance(address, Refused):
            found = await self._ctx.db.read(lambda conn: _LOOK.first(conn, url=address.url), quick=True)
        if found is None:
            raise NotFound("no_such_printer", f"nobody prints at epson://{name[:40]}")
        return found

    def _challenge(self, *, stale: bool) -> Response:
        response = error_response(401, "unauthenticated", "who is this printer?")
        for challenge in self._digest.challenges(self._ctx.clock.now(), stale=stale):
            response.headers.append("WWW-Authenticate", challenge)
        return response

    # --- jobs --------------------------------------------------------------------------------------------------------

    async def _job(self, found: Record) -> Response:
        ctx, now = self._ctx, self._ctx.clock.now()
        said = _said(found.detail)
        self._heard.note(found.id, now, found.status or "ok")
        if found.head_state not in (TicketState.QUEUED, TicketState.OFFERED):
            return _empty()
        if said is not None and held(said.trouble, said.at, now):
            return _empty()
        job = await ctx.db.write(lambda conn: taken(conn, found.id, now))
        if job is None:  # another request was quicker
            return _empty()
        token = remote.token_of(job.ticket_id)
        try:
            link = f"{ctx.settings.public_url}/orders/{job.order_id}"
            ticket = epos.render(ticket_of(job, ctx.settings.timezone_offset_s), job.width, link)
        except Exception:  # a ticket that cannot be drawn today cannot be drawn tomorrow
            log.exception("ticket %s cannot be rendered", job.ticket_id)
            await ctx.db.write(lambda conn: remote.result(conn, found.id, token, False, "not_printable", now))
            return _empty()
        document = wire.print_request(token, ticket, int(ctx.settings.print_ack_timeout_s * 1000))
        return Response(document, headers={"Content-Type": wire.CONTENT_TYPE, "Cache-Control": "no-store"})

    async def _results(self, merchant_id: int, report: wire.Report) -> None:
        ctx, now = self._ctx, self._ctx.clock.now()
        policy = ctx.settings.print_policy
        for ticket_id, judged, words in await ctx.db.write(
            lambda conn: settled(conn, policy, merchant_id, report, now)
        ):
            outcome, code = judged.verdict.value, judged.code or None
            logs.line("print", merchant_id=merchant_id, ticket_id=ticket_id, outcome=outcome, code=code)
            if words:
                log.warning("merchant %s: the printer refused ticket %s: %r", merchant_id, ticket_id, words)

    async def _status(self, merchant_id: int, words: dict[str, int]) -> None:
        word = words.get(wire.DEVICE_ID, next(iter(words.values()), None))
        if word is not None:
            said = Sign(self._ctx.clock.now(), trouble(word), f"{word:#010x}")
            await self._heard.tell(merchant_id, said.at, told(word), said)


def taken(conn: Connection, merchant_id: int, now: float) -> Job | None:
    """Offer the head of a printer's queue and have it taken, in one unit; None: there is none, or one is out."""
    job = remote.offer(conn, merchant_id, now)
    return None if job is None else remote.fetch(conn, merchant_id, remote.token_of(job.ticket_id), now)


def settled(conn: Connection, policy: PrintPolicy, merchant_id: int, report: wire.Report, now: float) -> list[Became]:
    """Do what follows a printer's report, and keep what it says of itself; the tickets that it changed."""
    changed: list[Became] = []
    refused = [report.refused] if report.refused else []
    for result in report.results:
        judged = judge(result.success, result.code)
        ticket = remote.its(conn, merchant_id, result.token)
        if ticket is None:
            if not (result.token or result.success):
                refused.append(result.code)
        elif _apply(conn, policy, merchant_id, result.token, judged, now):
            changed.append(Became(ticket.id, judged))
            if ticket.state == TicketState.CLAIMED:  # else it is old, and so is what it says of the printer
                _keep(conn, merchant_id, judged, result.status, now)
    out = _OUT.first(conn, merchant_id=merchant_id) if refused else None
    if out is not None:
        judged = Judged(Verdict.UNKNOWN, "refused")
        if _apply(conn, policy, merchant_id, remote.token_of(out.id), judged, now):
            changed.append(Became(out.id, judged, refused[0][:200] or "no words"))
    return changed


def _apply(conn: Connection, policy: PrintPolicy, merchant_id: int, token: str, judged: Judged, now: float) -> bool:
    """True if that changed the ticket."""
    if judged.verdict is Verdict.WAITING:
        return False
    if judged.verdict is Verdict.UNKNOWN:
        return remote.uncertain(conn, policy, merchant_id, token, judged.code, now)
    return remote.result(conn, merchant_id, token, judged.verdict is Verdict.PRINTED, judged.code, now)


def _keep(conn: Connection, merchant_id: int, judged: Judged, word: int | None, now: float) -> None:
    """What a result says of the printer itself, if anything."""
    if word is None and judged.verdict is not Verdict.TROUBLE:
        return
    named = judged.code if judged.verdict is Verdict.TROUBLE else None if word is None else trouble(word)
    said = Sign(now, named, None if word is None else f"{word:#010x}")
    text = named or told(word or 0)
    signs.write(conn, [(merchant_id, signs.Sign(now, text, msgspec.json.encode(said).decode()))])


def _said(detail: str | None) -> Sign | None:
    """A sign as it is kept; None: none, or another protocol's."""
    try:
        return None if detail is None else _sign.decode(detail)
    except msgspec.DecodeError:
        return None


async def _body(request: Request) -> bytes:
    """A request's body, up to its limit. Raises Unprocessable."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > wire.FORM_BYTES:
            raise Unprocessable("too_large", f"a form of more than {wire.FORM_BYTES} bytes")
    return body


def _target(request: Request) -> str:
    """Path and query as they were sent."""
    query: bytes = request.scope["query_string"]
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return (raw.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")


def _empty() -> Response:
    """Nothing to print, or: heard."""
    return Response(b"", headers={"Content-Type": wire.CONTENT_TYPE})
