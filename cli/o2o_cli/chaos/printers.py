"""The printer campaign (A14): orders paid, printed by virtual printers that break in every known way, then the audit.

Decides the order of things: the platform as processes of its own, the printers in this one, so many orders placed and
paid as fast as it goes, and then waiting until no ticket is on its way and no printer has anything left. How a printer
of a transport is reached is `printer_transports`'; what must hold is the audit's, plus the users' promises.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from o2o_cli.chaos.printer_transports import Place, Transport
from o2o_cli.chaos.shoppers import Shoppers
from o2o_cli.errors import UsageError
from o2o_cli.jobs.platform import environment, scaled
from o2o_cli.jobs.serving import bind, url_of
from o2o_cli.up import programs
from o2o_cli.up.child import Child, Program
from o2o_devices.chances import Chances
from o2o_devices.faults import Kind, Met, TicketFault
from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.mechanism import Profile
from o2o_devices.receipt import Receipt
from o2o_domain.ticket_layout import parse
from o2o_loadtest.peak.gather import Sides, read_platform, read_statement
from o2o_loadtest.peak.world import Size, World, make_world
from o2o_loadtest.printers import confession
from o2o_loadtest.setup import AdminClient
from o2o_platform.settings import Settings

AT_ONCE = 32
"""Shoppers at it at the same time."""
PRINTERS = 40
REST_S = 600.0
PAUSE_S = 1.0
ACK_S = 3.0
"""The platform waits so long for an answer; some repairs take less, some more: answers come in time, and late."""
REPAIRS_S = (0.5, 6.0)
DEADLINE_S = 180.0
PICTURE_MM = (1.0, 19.0)
"""Inside of the picture at a ticket's head."""
GARBAGE_S = 1.5
"""Somebody notices that a printer prints garbage so long after it has paper again, and cycles its power."""
FAST = Profile(mm_s=1500.0, cut_s=0.02)
"""Faster than any: a campaign is about faults, and a thousand tickets are to be out in minutes."""
Progress = Callable[[str, float], None]
Row = dict[str, Any]


class Plan:
    """Which ticket of which printer meets which fault: a function of seed, printer and ticket alone.

    pictures: tickets begin with one, and half of the paper ends come in its middle.
    """

    def __init__(self, shares: dict[Kind, float], seed: int, *, pictures: bool = False) -> None:
        self._chances = Chances(shares, seed=seed)
        self._seed = seed
        self._pictures = pictures

    def __call__(self, printer_id: int, ticket: int) -> TicketFault | None:
        """Somewhere on the ticket, repaired sooner or later than the platform waits."""
        fault = self._chances(printer_id, ticket)
        if fault is None:
            return None
        drawn = hashlib.blake2b(f"{self._seed}/repair/{printer_id}/{ticket}".encode(), digest_size=8).digest()
        share = int.from_bytes(drawn, "big") / 2**64
        after_mm = fault.after_mm
        if self._pictures and fault.kind == "paper_end" and drawn[-1] % 2:
            after_mm = PICTURE_MM[0] + share * (PICTURE_MM[1] - PICTURE_MM[0])
        return replace(fault, after_mm=after_mm, repair_s=REPAIRS_S[0] + share * (REPAIRS_S[1] - REPAIRS_S[0]))


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    transport: Transport
    orders: int
    seed: int
    folder: Path
    shares: dict[Kind, float]
    printers: int = PRINTERS
    database: str | None = None
    redis: str | None = None
    pictures: bool = False
    """Tickets begin with a picture, and the printers are of the kind that goes astray when the paper ends in one."""

    @property
    def settings(self) -> Settings:
        """Of the platform: the rules of every deployment, with waits that a campaign can wait for."""
        return Settings(
            database_url=self.database or f"sqlite:///{self.folder / 'platform.db'}",
            redis_url=self.redis or "",
            redis_prefix=f"o2o-printers-{secrets.token_hex(4)}",
            enforce_hours=False,
            admin_password=secrets.token_urlsafe(12),
            print_ack_timeout_s=ACK_S,
            print_backoff_s=0.5,
            print_max_attempts=12,
            print_deadline_s=DEADLINE_S,
            print_status_timeout_s=0.5,
            print_connect_timeout_s=1.0,
            print_offer_s=6.0,
            print_result_s=2 * ACK_S,
            sweep_interval_s=0.5,
            print_logo=self.pictures,
        )


@dataclass
class Outcome:
    """What a campaign leaves for the audit and the report."""

    seconds: float = 0.0
    rest_s: float = 0.0
    unrest: dict[str, int] = field(default_factory=dict)
    ended: float = 0.0
    """Unix time at which everything was read."""
    deadline_s: float = DEADLINE_S
    cycled: int = 0
    """Printers whose power was cycled because they printed garbage."""
    sides: Sides | None = None


class Paper:
    """What comes out of the printers, and what they confess."""

    def __init__(self) -> None:
        self.receipts: list[tuple[int, Receipt, float]] = []
        self.mets: list[tuple[int, Met]] = []

    def out(self, number: int, receipt: Receipt, at: float) -> None:
        """A receipt, at unix time."""
        self.receipts.append((number, receipt, at))

    def met(self, number: int, met: Met) -> None:
        """A fault, at a time of the fleet's loop."""
        self.mets.append((number, met))

    def rows(self, merchant_of: dict[int, int]) -> list[Row]:
        """Rows of `receipts`, still in unix time."""
        found = []
        for number, receipt, at in self.receipts:
            ticket = parse(receipt.text_lines)
            found.append(
                {
                    "printer_id": merchant_of[number],
                    "printed": at,
                    "order_no": ticket.order_no,
                    "copy_no": ticket.copy_no,
                    "complete": ticket.complete and receipt.complete,
                    "lines": [{"name": name, "qty": qty} for name, qty in ticket.lines],
                    "total_fen": ticket.total_fen,
                    "length_mm": receipt.length_mm,
                    "text": receipt.text,
                }
            )
        return found

    def confessions(self, merchant_of: dict[int, int], unix: Callable[[float], float]) -> list[Row]:
        """Rows of `printer_faults`, in unix time."""
        return [confession(merchant_of[number], met, unix) for number, met in self.mets]


async def campaign(options: Options, progress: Progress) -> Outcome:
    """The whole campaign. Raises UsageError when a process does not start, TargetError when one does not tell."""
    outcome = Outcome()
    progress("starting the platform", 0.0)
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(options.transport.around(options.folder))
        settings, children = await stack.enter_async_context(running(options, place))
        paper = Paper()
        place.platform_url = settings.public_url
        fleet = await stack.enter_async_context(_fleet(options, place, paper))
        staff = asyncio.create_task(_watch_paper(fleet, outcome))
        stack.callback(staff.cancel)
        world = await asyncio.to_thread(_world, settings, options, fleet, progress)
        if options.transport.beside is not None:
            admin = await asyncio.to_thread(AdminClient, settings.public_url, settings.admin_password)
            stack.callback(admin.close)
            await stack.enter_async_context(options.transport.beside(admin, fleet, world))
        shoppers = Shoppers(
            world, count=options.orders, at_once=AT_ONCE, seed=options.seed, prefix=f"printers-{options.seed}-"
        )
        outcome.seconds = await shoppers.run(lambda share: progress("orders placed and paid", 0.5 * share))
        began = time.monotonic()
        await _until_rest(settings, fleet, outcome, progress)
        outcome.rest_s = time.monotonic() - began
        for child in children:
            if child.pid is None:
                raise UsageError(f"{child.program.name} has ended by itself: {child.last_words()}")
        progress("gathering", 0.95)
        platform = await asyncio.to_thread(_told, settings)
        charges = await asyncio.to_thread(read_statement, settings.provider_url)
        outcome.ended = time.time()
        merchant_of = {number: shop.id for number, shop in enumerate(world.shops)}
        outcome.sides = Sides(
            shoppers.epoch,
            shoppers.users,
            shoppers.requests,
            platform,
            charges,
            paper.rows(merchant_of),
            faults=paper.confessions(merchant_of, fleet.unix),
        )
    return outcome


def _fleet(options: Options, place: Place, paper: Paper) -> Fleet:
    front = None if options.transport.front is None else options.transport.front(place)
    profile = replace(FAST, on_paper_end="garbage") if options.pictures else FAST
    specs = [PrinterSpec(number, profile, front=front) for number in range(options.printers)]
    plan = Plan(options.shares, options.seed, pictures=options.pictures)
    return Fleet(specs, on_paper=paper.out, plan=plan, on_met=paper.met)


async def _watch_paper(fleet: Fleet, outcome: Outcome) -> None:
    """Cycle the power of printers that print garbage, as whoever stands beside them would."""
    since: dict[int, float] = {}
    while True:
        now = fleet.now()
        for number in range(len(fleet)):
            printer = fleet.printer(number)
            if not printer.astray or printer.status(now).paper_end or not printer.mechanism.powered:
                since.pop(number, None)
            elif now - since.setdefault(number, now) >= GARBAGE_S:
                outcome.cycled += 1
                control = fleet.control(number)
                control.power_cut()
                asyncio.get_running_loop().call_later(1.0, control.power_on)
        await asyncio.sleep(0.25)


@asynccontextmanager
async def running(options: Options, place: Place) -> AsyncIterator[tuple[Settings, list[Child]]]:
    """Provider and platform, ready, and the platform's settings. Raises StartFailed."""
    async with AsyncExitStack() as stack:
        sockets = [stack.enter_context(bind("127.0.0.1", 0)) for _ in range(4)]
        front, payments, health, dispatching = sockets
        settings = replace(options.settings, public_url=url_of(front), provider_url=url_of(payments), **place.settings)
        if scaled(settings) and not settings.redis_url:
            raise UsageError("a platform on PostgreSQL needs Redis for its stream: --redis redis://127.0.0.1:6379/0")
        wanted = [programs.provider(settings, payments, options.folder / "payments.jsonl")]
        if scaled(settings):
            wanted += [programs.relay(settings, health), programs.worker(1, settings, front)]
            wanted.append(programs.dispatcher(1, settings, dispatching))
        else:
            words = ["serve", "--provider-url", settings.provider_url, "--fd", str(front.fileno()), "--announce"]
            env = environment(settings)
            wanted.append(
                Program("platform", "worker", programs.o2o(*words), env=env, fds=(front.fileno(),), grace_s=15.0)
            )
        children: list[Child] = []
        for program in wanted:
            child = Child(program, options.folder / f"{program.name}.log", lambda: None)
            stack.push_async_callback(child.stop)
            children.append(child)
            await child.start()
        yield settings, children


def _world(settings: Settings, options: Options, fleet: Fleet, progress: Progress) -> World:
    size = Size(merchants=options.printers, dishes=8, users=200, coupons=0, stock=10**7)
    printers = {number: options.transport.printer(fleet, number) for number in range(options.printers)}
    admin = AdminClient(settings.public_url, settings.admin_password)
    try:
        return make_world(admin, size, printers=printers, progress=progress)
    finally:
        admin.close()


async def _until_rest(settings: Settings, fleet: Fleet, outcome: Outcome, progress: Progress) -> None:
    """Until every ticket has ended or is unconfirmed, every printer is mended, and every late answer has come."""
    end = time.monotonic() + REST_S
    admin = await asyncio.to_thread(AdminClient, settings.public_url, settings.admin_password)
    calm_since: float | None = None
    try:
        while True:
            tickets = await asyncio.to_thread(read_platform, admin, ("tickets",))
            states = Counter(row["state"] for row in tickets["tickets"])
            unrest = {f"tickets {state}": states[state] for state in ("queued", "offered", "claimed") if states[state]}
            if not fleet.idle:
                unrest["printers with something left"] = 1
            outcome.unrest = unrest
            told = ", ".join(f"{count} {name}" for name, count in unrest.items()) or "at rest, late answers may come"
            progress(f"printing: {told}", 0.5 + 0.4 * (1 - sum(unrest.values()) / max(sum(states.values()), 1)))
            now = time.monotonic()
            calm_since = None if unrest else calm_since or now
            if (calm_since is not None and now - calm_since > REPAIRS_S[1] + 2 * ACK_S) or now > end:
                return
            await asyncio.sleep(PAUSE_S)
    finally:
        admin.close()


def _told(settings: Settings) -> dict[str, list[Row]]:
    admin = AdminClient(settings.public_url, settings.admin_password)
    try:
        return read_platform(admin)
    finally:
        admin.close()
