"""Star CloudPRNT over HTTP, the server's side: one URL for all printers of the deployment (A14).

    POST /cloudprnt                     a poll: how the printer is; the answer says whether there is a job
    GET /cloudprnt?mac&type&token       the job
    DELETE /cloudprnt?mac&code&token    how it went; GET with `delete` in its query says the same

Decides what each writes. Codes and what follows from them are `o2o_domain.cloudprnt`; the tickets' steps are
`printing.remote`. All state is in the database: any worker answers any request, and one that was killed is not missed.
- a poll that finds no job reads one row by its index and writes nothing; that the printer was there is written later,
  with others (`signs`). The first job for it is offered in the poll (queued ► offered), then it is the same until it is
  taken. Nothing is offered while a job is out, or to a printer that says it cannot print;
- GET takes the offered job (offered ► claimed), and is otherwise without effect: again and again it is the same job,
  until the printer or the clock ends it. A ticket that is unconfirmed is not given out any more (404);
- DELETE may come late, repeated, about an earlier attempt, or about a ticket that is not this printer's: then nothing
  happens, and the answer is 200 all the same, or it would only be said again. Firmware without tokens means the job
  that is out;
- once in its life a printer is asked what it is (`clientAction`), in an answer without a job, as Star's sample does.

Who has set a secret for a printer has it shown here: Basic authentication, the user being the MAC.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from typing import Any, Literal

from fastapi import FastAPI
from sqlalchemy import Connection, bindparam, literal_column, select
from starlette.requests import Request
from starlette.responses import Response

from o2o_domain.cloudprnt import (
    AfterConfirmation,
    AfterPoll,
    Health,
    Status,
    after_confirmation,
    after_poll,
    job_gone,
    status,
)
from o2o_domain.ticket_layout import TicketOrder
from o2o_domain.tickets import UNSENT, TicketState
from o2o_platform.errors import Conflict, NotFound, Unauthenticated
from o2o_platform.hot_lane import PUBLIC
from o2o_platform.kit import logs
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.merchants.tables import merchants
from o2o_platform.printing import remote, repository, units
from o2o_platform.printing.job import Job, ticket_of
from o2o_platform.printing.media import starprnt, text
from o2o_platform.printing.protocols import cloudprnt_wire as wire
from o2o_platform.printing.repository import REMOTE
from o2o_platform.printing.signs import NOTHING_SAID, Signs
from o2o_platform.printing.tables import printer_signs, tickets

log = logging.getLogger("o2o.platform.printing")

PATH = "/cloudprnt"
STARPRNT, TEXT = "application/vnd.star.starprnt", "text/plain"
MEDIA: dict[str, Callable[[TicketOrder, Literal[32, 48], str], bytes]] = {STARPRNT: starprnt.render, TEXT: text.render}
"""What a job can be had as, the best first; the printer chooses."""
_TYPES = {TEXT: "text/plain; charset=utf-8"}
_CUT = {"X-Star-Cut": "partial; feed=true"}
"""Has the printer cut after a job that cannot say so itself."""
MAX_ASKED = 100_000
"""Printers that one process remembers to have asked; beyond that some are asked again."""
_WHO = {"WWW-Authenticate": 'Basic realm="o2o printers"'}


class UnsupportedMedia(Conflict):
    """The job cannot be had as that."""

    status = 415


def _of_the_first(name: str, *conditions: Any) -> Any:
    """A column of the merchant's first ticket under way that is so.

    A subquery each, and no joins: each then goes by its index at any size, even if it was planned while the tables were
    empty, when PostgreSQL would rather hash them.
    """
    states: list[Any] = [literal_column(f"'{state}'") for state in repository.OPEN]
    mine = (tickets.c.merchant_id == merchants.c.id, tickets.c.state.in_(states), *conditions)
    return select(tickets.c[name]).where(*mine).order_by(tickets.c.id).limit(literal_column("1")).scalar_subquery()


_REMOTELY = (tickets.c.state == literal_column("'claimed'"), tickets.c.claimed_by == literal_column(str(REMOTE)))
_LOOK = Prepared(
    select(
        merchants.c.id,
        merchants.c.printer_secret,
        select(printer_signs.c.detail)
        .where(printer_signs.c.merchant_id == merchants.c.id)
        .scalar_subquery()
        .label("detail"),
        *(_of_the_first(name).label(f"head_{name}") for name in ("id", "state", "attempts")),
        *(_of_the_first(name, *_REMOTELY).label(f"out_{name}") for name in ("id", "attempts", "claimed")),
    ).where(merchants.c.printer_url == bindparam("url"))
)
"""The merchant behind a MAC, what is known of the printer, the first ticket that waits, and the one that is out."""


def register(app: FastAPI, ctx: Context, signs: Signs) -> None:
    """Add the routes."""
    server = _Server(ctx, signs)
    add = ctx.hot.add
    add(app, "POST", PATH, server.poll, PUBLIC, tag="printers")
    add(app, "GET", PATH, server.job, PUBLIC, tag="printers")
    add(app, "DELETE", PATH, server.confirm, PUBLIC, tag="printers")


class _Server:
    def __init__(self, ctx: Context, signs: Signs) -> None:
        self._ctx = ctx
        self._signs = signs
        self._asked: set[tuple[int, str]] = set()  # merchant and MAC: another printer of the merchant's is another

    async def poll(self, request: Request, user: None) -> Response:
        """A printer says how it is, and asks for work."""
        told = wire.read_poll(await request.body())
        found = await self._who(request, told.mac)
        return Response(
            wire.NO_JOB if found is None else await self._answer(told, found, _url(request, told.mac)),
            media_type="application/json",
        )

    async def _answer(self, told: wire.Poll, found: Record, url: str) -> bytes:
        ctx, now = self._ctx, self._ctx.clock.now()
        if told.answers:  # once in its life: it does not wait, as this process may be killed, and nobody asks again
            await self._signs.tell(found.id, now, told.text, wire.device(told.answers))
        else:
            self._signs.note(found.id, now, told.text)
        out = None if found.out_id is None else token_of(found.out_id, found.out_attempts)
        follows = after_poll(
            told.told,
            job_out=out is not None and told.token in (None, out),
            job_gone=out is not None and self._gone(told, found, now),
        )
        if follows is AfterPoll.UNCONFIRM:
            reason = "no_result" if told.told.health is Health.ONLINE else told.told.reason
            policy, token = ctx.settings.print_policy, remote.token_of(found.out_id)
            await ctx.db.write(lambda conn: remote.uncertain(conn, policy, found.id, token, reason, now))
            self._tell(found.id, found.out_id, "unconfirmed", reason)
        if follows is not AfterPoll.OFFER:
            return wire.NO_JOB
        if found.detail is None and not told.answers and self._first_time(found.id, url):
            self._signs.note(found.id, now, told.text, NOTHING_SAID)
            return wire.questions()
        if found.head_id is None:
            return wire.NO_JOB
        ready = token_of(found.head_id, found.head_attempts + 1)
        if found.head_state != TicketState.OFFERED:
            job = await ctx.db.write(lambda conn: remote.offer(conn, found.id, now))
            if job is None or job.ticket_id != found.head_id:  # something has happened meanwhile: at the next poll
                return wire.NO_JOB
        return wire.job_ready(ready, MEDIA, ctx.settings.cloudprnt_delete_method)

    def _gone(self, told: wire.Poll, found: Record, now: float) -> bool:
        """Whether the printer says that it has nothing of the job that is out."""
        interval_s = wire.interval_in(found.detail, self._ctx.settings.printer_poll_s)
        age_s = now - found.out_claimed
        return job_gone(printing=told.printing, token=told.token, age_s=age_s, interval_s=interval_s)

    def _first_time(self, merchant_id: int, url: str) -> bool:
        """Whether this process has not asked this printer yet; soon the database knows for all of them."""
        if (merchant_id, url) in self._asked:
            return False
        if len(self._asked) >= MAX_ASKED:
            self._asked.clear()
        self._asked.add((merchant_id, url))
        return True

    async def job(self, request: Request, user: None) -> Response:
        """The job that a printer was offered, in the medium it wants."""
        query = request.query_params
        if "delete" in query or "code" in query:
            return await self.confirm(request, user)
        found = await self._who(request, None)
        medium = query.get("type", STARPRNT).partition(";")[0].strip().lower()
        token = query.get("token") or _current(found)
        if found is None or token is None:
            raise NotFound("no_job", "there is nothing for this printer")
        if medium not in MEDIA:
            raise UnsupportedMedia("media_type", f"a job can be had as {', '.join(MEDIA)}")
        ctx, now = self._ctx, self._ctx.clock.now()
        job = await ctx.db.write(lambda conn: fetched(conn, found.id, token, now))
        if job is None:
            raise NotFound("no_job", f"{token[:40]!r} is not to be printed (any more)")
        try:
            link = f"{ctx.settings.public_url}/orders/{job.order_id}"
            data = MEDIA[medium](ticket_of(job, ctx.settings.timezone_offset_s), job.width, link)
        except Exception:  # a ticket that cannot be drawn today cannot be drawn tomorrow
            log.exception("ticket %s cannot be rendered", job.ticket_id)
            its = remote.token_of(job.ticket_id)
            await ctx.db.write(lambda conn: remote.result(conn, found.id, its, False, "not_printable", now))
            raise NotFound("no_job", f"{token!r} cannot be printed") from None
        headers = {"Cache-Control": "no-store", **(_CUT if medium == TEXT else {})}
        return Response(data, media_type=_TYPES.get(medium, medium), headers=headers)

    async def confirm(self, request: Request, user: None) -> Response:
        """A printer says how its job went."""
        query = request.query_params
        code = query.get("code")
        if code is None:
            raise wire.NotUnderstood("invalid", "`code` is missing")
        found = await self._who(request, None)
        told, token = status(code), query.get("token")
        if found is not None and told.health is not Health.UNKNOWN:
            ctx, now = self._ctx, self._ctx.clock.now()
            most = ctx.settings.print_max_attempts

            def unit(conn: Connection) -> tuple[AfterConfirmation, str]:
                named = token or _current(_LOOK.first(conn, url=_url(request, None))) or ""
                return confirmed(conn, found.id, named, told, most, now), named

            follows, named = await ctx.db.write(unit)
            if follows is not AfterConfirmation.NOTHING:
                reason = told.reason if told.health is not Health.ONLINE else None
                self._tell(found.id, read_token(named)[0], follows.value, reason)
        return Response(status_code=200)

    async def _who(self, request: Request, mac: str | None) -> Record | None:
        """The merchant whose printer this is; None: nobody's. Raises NotUnderstood, Unauthenticated."""
        url = _url(request, mac)
        found = await self._ctx.db.read(lambda conn: _LOOK.first(conn, url=url), quick=True)
        if found is not None and found.printer_secret is not None:
            user, password = wire.credentials(request.headers.get("authorization")) or ("", "")
            right = hmac.compare_digest(password.encode(), found.printer_secret.encode())
            if not right or wire.mac_of(user) != url.rpartition("/")[2]:
                raise Unauthenticated("wrong_secret", "the printer's user and password are not right", headers=_WHO)
        return found

    @staticmethod
    def _tell(merchant_id: int, ticket_id: int | None, outcome: str, code: str | None) -> None:
        logs.line("print", merchant_id=merchant_id, ticket_id=ticket_id, outcome=outcome, code=code)


def _url(request: Request, mac: str | None) -> str:
    """The printer's address. Raises NotUnderstood if it is named nowhere."""
    headers = request.headers
    mac = mac or wire.mac_of(request.query_params.get("mac")) or wire.mac_of(headers.get("x-star-mac"))
    if mac is None:
        user = wire.credentials(headers.get("authorization"))
        mac = None if user is None else wire.mac_of(user[0])
    if mac is None:
        raise wire.NotUnderstood("no_mac", "the printer's MAC is named nowhere")
    return f"cloudprnt://{mac}"


def _current(found: Record | None) -> str | None:
    """The job that a printer means which names none."""
    if found is None:
        return None
    if found.out_id is not None:
        return token_of(found.out_id, found.out_attempts)
    return token_of(found.head_id, found.head_attempts + 1) if found.head_state == TicketState.OFFERED else None


def token_of(ticket_id: int, attempt: int) -> str:
    """What a job is called: its ticket and which attempt this is, so that a word about an earlier one, on its way for
    long, is not taken for one about this."""
    return f"{remote.token_of(ticket_id)}-{attempt}"


def read_token(token: str) -> tuple[int | None, int]:
    """(ticket, attempt) of a token; (None, 0): none of ours."""
    ticket, _, attempt = token.rpartition("-")
    if not (attempt.isdecimal() and attempt.isascii() and len(attempt) < 10):
        return None, 0
    return remote.ticket_of_token(ticket), int(attempt)


def _its(conn: Connection, merchant_id: int, token: str) -> Record | None:
    """The ticket, if the token is about its present attempt."""
    ticket_id, attempt = read_token(token)
    ticket = None if ticket_id is None else remote.its(conn, merchant_id, remote.token_of(ticket_id))
    if ticket is None:
        return None
    return ticket if attempt == ticket.attempts + (ticket.state in UNSENT) else None


def fetched(conn: Connection, merchant_id: int, token: str, now: float) -> Job | None:
    """The printer takes its job, or takes it again; None: it may not (any more)."""
    ticket = _its(conn, merchant_id, token)
    return None if ticket is None else remote.fetch(conn, merchant_id, remote.token_of(ticket.id), now)


def confirmed(
    conn: Connection, merchant_id: int, token: str, told: Status, max_attempts: int, now: float
) -> AfterConfirmation:
    """Do what follows a printer's word about a job of its own; NOTHING if that has no effect (any more)."""
    ticket = _its(conn, merchant_id, token)
    if ticket is None:
        return AfterConfirmation.NOTHING
    state, its = TicketState(ticket.state), remote.token_of(ticket.id)
    follows = after_confirmation(told, state, last_attempt=ticket.attempts >= max_attempts)
    if follows is AfterConfirmation.PRINTED:
        remote.result(conn, merchant_id, its, True, "", now)
    elif follows is AfterConfirmation.QUEUE_AGAIN:
        remote.give_back(conn, merchant_id, its, now, told.reason)
    elif follows is AfterConfirmation.FAILED and state is TicketState.OFFERED:
        units.give_up(conn, ticket, told.reason, now)
    elif follows is AfterConfirmation.FAILED:
        remote.result(conn, merchant_id, its, False, told.reason, now)
    return follows
