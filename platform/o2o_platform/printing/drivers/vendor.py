"""Printers behind a vendor's cloud: the platform asks the cloud to print, and is told later how it went (A14).

Decides what an unanswered request means. What did not reach the cloud (no connection, "come again") is tried again
while the dispatcher waits. What may have reached it is nobody's to know: with a cloud that knows a job by our id it is
asked again, which is safe; with one that does not the ticket is left unconfirmed, and never sent a second time. What
the cloud has taken is `Answer.TAKEN`, and its id is kept (`vendor_jobs`) before the dispatcher hears of it; the result
comes by callback (`protocols.vendor`) or is asked for (`vendor_poll`).

A cloud that is down delays nobody: each printer waits for itself, a breaker shared by all printers of the cloud answers
at once while it is open, and before a ticket is claimed the cloud is asked for the printer's status, unless it has
answered anything within `FRESH_S`. That status lags by minutes, so it is written down as a hint and stops no ticket.

What is said to a vendor, and what its answers mean, is `feie` and `yilianyun`; both are pure. Nothing of a request is
ever logged: forms hold credentials, and addresses and phone numbers of people.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol, TypeVar

import httpx
from sqlalchemy import Connection as Transaction

from o2o_domain.breaker import Allow, Breaker, BreakerPolicy, on_call, on_result
from o2o_domain.tickets import PrintOutcome
from o2o_platform.errors import Unavailable
from o2o_platform.kit.clock import wait_for
from o2o_platform.kit.context import Context
from o2o_platform.printing import remote, vendor_jobs
from o2o_platform.printing.drivers import Answer, Connection, Link, Open, PrintFailed

log = logging.getLogger("o2o.platform.printing")
T = TypeVar("T")

FRESH_S = 10.0
"""A cloud that answered within this time is taken to be there."""
UNREACHED = "cloud_unreachable"
MAX_ID = 64
"""Characters of a cloud's id of a job, at most."""
_COME_AGAIN = (429, 503)


class UnreachedError(ConnectionError):
    """The request has not reached the cloud, or was turned away unread."""


class UnclearError(OSError):
    """Nobody knows whether the cloud has done what it was asked for."""


class Fate(Enum):
    """How a job stands at the cloud."""

    WAITING = auto()
    PRINTED = auto()
    CANCELLED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Form:
    """A request: POST these fields as a form."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class VendorJob:
    """A ticket for a vendor's printer. `token` is our id of it; `expires` is unix seconds."""

    ticket_id: int
    serial: str
    token: str
    content: str
    expires: float


def order_id_of(value: object) -> str:
    """The cloud's id of a job. Raises UnclearError if that is none: a job was taken, and nobody knows which."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not 1 <= len(text) <= MAX_ID or not text.isprintable():
        raise UnclearError("a job without a usable id")
    return text


class Vendor(Protocol):
    """What is said to one vendor's cloud; see `feie` and `yilianyun`."""

    name: str
    idempotent: bool
    """Asking again with the same token prints nothing again."""
    withdraws: bool
    """Jobs do not expire by themselves, but can be withdrawn."""

    @property
    def configured(self) -> bool: ...
    def printing(self, job: VendorJob, now: float) -> Form: ...
    def taken(self, raw: bytes) -> str: ...
    def asking(self, serial: str, order_id: str, now: float) -> Form: ...
    def fate(self, raw: bytes) -> Fate: ...
    def looking(self, serial: str, now: float) -> Form: ...
    def status(self, raw: bytes) -> str: ...
    def withdrawing(self, serial: str, order_id: str, now: float) -> Form: ...


class Cloud:
    """One vendor's cloud as this process meets it: client, breaker, and the requests under way."""

    def __init__(self, ctx: Context, vendor: Vendor) -> None:
        settings = ctx.settings
        self.vendor = vendor
        self._ctx = ctx
        policy = BreakerPolicy(failures=settings.breaker_failures, open_s=settings.breaker_open_s)
        self.breaker = Breaker(policy, since=ctx.clock.now())
        self._client = httpx.AsyncClient(timeout=settings.vendor_timeout_s, trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered: float | None = None  # monotonic seconds

    @property
    def fresh(self) -> bool:
        """It has answered something within `FRESH_S`."""
        return self._answered is not None and time.monotonic() - self._answered < FRESH_S

    async def ask(self, form: Form) -> bytes:
        """The body of its answer. Raises UnreachedError, UnclearError, or PrintFailed if it refuses us altogether."""
        decision = on_call(self.breaker, self._ctx.clock.now())
        self._become(decision.breaker)
        if not isinstance(decision, Allow):
            raise UnreachedError("the breaker is open")
        began, well = time.monotonic(), False
        try:
            answer = await self._post(form)
            well = answer.status_code < 500
        finally:
            took_s = time.monotonic() - began
            self._become(on_result(self.breaker, decision.turn, ok=well, took_s=took_s, now=self._ctx.clock.now()))
        if answer.status_code in _COME_AGAIN:
            raise UnreachedError(f"HTTP {answer.status_code}")
        if answer.status_code >= 500:
            raise UnclearError(f"HTTP {answer.status_code}")
        self._answered = time.monotonic()
        if answer.status_code != 200:
            raise PrintFailed(f"http_{answer.status_code}")
        return answer.content

    async def _post(self, form: Form) -> httpx.Response:
        try:
            return await self._client.post(form.url, data=form.fields)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise UnreachedError(type(error).__name__) from None
        except httpx.HTTPError as error:
            raise UnclearError(type(error).__name__) from None

    def _become(self, breaker: Breaker) -> None:
        before, self.breaker = self.breaker, breaker
        if before.state is not breaker.state:
            log.warning(
                "cloud %s: breaker %s -> %s (%s)", self.vendor.name, before.state, breaker.state, breaker.reason
            )

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Have a request come to its end, also when who asked for it has gone."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("cloud %s: %r", self.vendor.name, error, exc_info=error)

    async def close(self) -> None:
        """Give up what is under way, and hang up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()


def clouds_of(ctx: Context) -> dict[str, Cloud]:
    """The clouds that this process speaks to, by name; filled by `protocols.vendor.register`."""
    clouds: dict[str, Cloud] = ctx.shelf.setdefault("vendor clouds", {})
    return clouds


def opener(name: str) -> Open:
    """`Driver.open` for a vendor's printers."""

    async def connect(address: str, link: Link) -> Connection:
        cloud = clouds_of(link.ctx).get(name)
        if cloud is None:
            raise ConnectionError(f"there is no account at {name}")
        return _Seat(cloud, address, link)

    return connect


class _Seat:
    """One printer behind the cloud. There is no connection to lose: it is alive until it is closed."""

    def __init__(self, cloud: Cloud, address: str, link: Link) -> None:
        self._cloud = cloud
        self._link = link
        self._address = address
        self._serial = address.partition("://")[2]
        self._open = True
        self._owed: set[int] = set()
        self._hint = ""

    @property
    def alive(self) -> bool:
        return self._open

    @property
    def owes(self) -> bool:
        return bool(self._owed)

    async def trouble(self, timeout_s: float) -> PrintOutcome | None:
        """REFUSED if the cloud is not there; what it believes of the printer stops nothing."""
        if self._cloud.fresh:
            return None
        ctx, vendor = self._link.ctx, self._cloud.vendor
        try:
            raw = await wait_for(ctx.clock, self._cloud.ask(vendor.looking(self._serial, ctx.clock.now())), timeout_s)
            hint = "".join(char for char in vendor.status(raw) if char.isprintable())
        except (UnreachedError, UnclearError, TimeoutError):
            return PrintOutcome.REFUSED
        except PrintFailed:
            return PrintOutcome.ERROR
        if hint != self._hint:
            self._hint = hint
            await self._note(hint)
        return None

    async def _note(self, hint: str) -> None:
        ctx, now = self._link.ctx, self._link.ctx.clock.now()

        def unit(conn: Transaction) -> None:
            merchant = remote.merchant_at(conn, self._address)
            if merchant is not None:
                remote.seen(conn, merchant.id, now, hint)

        try:
            await ctx.db.write(unit)
        except Unavailable as error:
            log.warning("the status of %s cannot be written: %s", self._address, error)

    async def send(self, ticket: int, data: bytes) -> asyncio.Future[Answer]:
        """Have it printed; the future is done when the cloud has taken it."""
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._owed.add(ticket)
        done.add_done_callback(lambda _: self._owed.discard(ticket))
        self._cloud.keep(self._deliver(ticket, data.decode(), done))
        return done

    async def close(self) -> None:
        self._open = False

    async def _deliver(self, ticket_id: int, content: str, done: asyncio.Future[Answer]) -> None:
        """Until the cloud has the ticket, or nobody waits any more. What it took late is kept all the same."""
        ctx = self._link.ctx
        try:
            job = await self._job(ticket_id, content)
            order_id = await self._until_taken(job, done)
            if order_id is None:
                return
            await self._insist(lambda: self._keep(job, order_id))
        except (PrintFailed, OSError) as error:
            _fail(done, error)
            return
        except asyncio.CancelledError:  # the platform ends
            _fail(done, ConnectionResetError("the request was given up"))
            raise
        if not done.done():
            done.set_result(Answer.TAKEN)
        else:
            log.warning(
                "ticket %s was taken by %s at %.3f, too late", ticket_id, self._cloud.vendor.name, ctx.clock.now()
            )

    async def _job(self, ticket_id: int, content: str) -> VendorJob:
        """The ticket as a job; its end is the ticket's deadline. Nothing has been sent if this fails."""
        ctx = self._link.ctx
        queued = await self._insist(lambda: ctx.db.read(lambda conn: vendor_jobs.queued_at(conn, ticket_id)))
        token = vendor_jobs.token_of(ticket_id, queued)
        return VendorJob(ticket_id, self._serial, token, content, queued + ctx.settings.print_deadline_s)

    async def _until_taken(self, job: VendorJob, done: asyncio.Future[Answer]) -> str | None:
        """The cloud's id; None if the dispatcher has given up. Raises PrintFailed, or OSError where nobody knows."""
        ctx, vendor = self._link.ctx, self._cloud.vendor
        pause_s, sent = min(ctx.settings.print_backoff_s, 1.0), False
        give_up_at = ctx.clock.now() + max(ctx.settings.print_ack_timeout_s - ctx.settings.vendor_timeout_s, 0.0)
        while not done.done():
            try:
                return vendor.taken(await self._cloud.ask(vendor.printing(job, ctx.clock.now())))
            except UnreachedError as error:
                if ctx.clock.now() + pause_s > give_up_at:
                    if sent:
                        raise TimeoutError(str(error)) from None
                    raise PrintFailed(UNREACHED) from None
            except UnclearError as error:
                sent = True
                if not vendor.idempotent or ctx.clock.now() + pause_s > give_up_at:
                    raise TimeoutError(str(error)) from None
            await ctx.clock.sleep(pause_s)
        return None

    async def _keep(self, job: VendorJob, order_id: str) -> None:
        ctx, now, name = self._link.ctx, self._link.ctx.clock.now(), self._cloud.vendor.name
        await ctx.db.write(lambda conn: vendor_jobs.keep(conn, job, name, order_id, now, ctx.settings.vendor_poll_s))

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the database says, however long it is away."""
        while True:
            try:
                return await work()
            except Unavailable as error:
                log.warning("a job of %s waits for the database: %s", self._address, error)
                await self._link.ctx.clock.sleep(self._link.ctx.settings.print_backoff_s)


def _fail(done: asyncio.Future[Answer], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
        done.exception()  # nobody may be waiting any more; that is no bug
