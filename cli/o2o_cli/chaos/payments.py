"""The payment campaign (G11): callbacks lost, doubled, late and wrong, then reconciliation, then the audit.

Decides the order of things: platform and provider as processes of their own, the plan put to the provider, so many
orders placed and paid as fast as it goes, and then waiting until both sides have heard of each other. What is broken is
the plan's, what must hold is the audit's, plus the promises that need the users' side.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from o2o_cli.chaos.shoppers import Shoppers
from o2o_cli.errors import UsageError
from o2o_cli.jobs.platform import environment, scaled
from o2o_cli.jobs.serving import bind, url_of
from o2o_cli.up import programs
from o2o_cli.up.child import Child, Program
from o2o_loadtest.peak.gather import Sides, read_platform, read_statement
from o2o_loadtest.peak.world import Size, World, make_world
from o2o_loadtest.setup import AdminClient
from o2o_platform.settings import Settings

AT_ONCE = 48
"""Shoppers at it at the same time."""
REST_S = 180.0
PAUSE_S = 1.0
LATE_S = 4.0
"""Late callbacks come up to twice that later: some before they are missed, some after the repair."""
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Options:
    """What the command line says. `shares`: of the provider's plan."""

    orders: int
    seed: int
    folder: Path
    shares: dict[str, float]
    database: str | None = None
    redis: str | None = None

    @property
    def settings(self) -> Settings:
        """Of the platform: the rules of every deployment, looked after more often, so that it can be waited for."""
        name = secrets.token_hex(4)
        return Settings(
            database_url=self.database or f"sqlite:///{self.folder / 'platform.db'}",
            redis_url=self.redis or "",
            redis_prefix=f"o2o-payments-{name}",
            enforce_hours=False,
            admin_password=secrets.token_urlsafe(12),
            reconcile_interval_s=2.0,
            reconcile_grace_s=3.0,
        )


@dataclass
class Outcome:
    """What a campaign leaves for the audit and the report."""

    seconds: float = 0.0
    paid: int = 0
    rest_s: float = 0.0
    unrest: dict[str, int] = field(default_factory=dict)
    injected: dict[str, int] = field(default_factory=dict)
    """Charges by what the plan did to them, as the provider counts."""
    summary: dict[str, Any] = field(default_factory=dict)
    """What the platform says of reconciliation."""
    sides: Sides | None = None


async def campaign(options: Options, progress: Progress) -> Outcome:
    """The whole campaign. Raises UsageError when a process does not start, TargetError when one does not tell."""
    outcome = Outcome()
    progress("starting platform and provider", 0.0)
    async with running(options) as (settings, children):
        world = await asyncio.to_thread(_world, settings, options, progress)
        async with httpx.AsyncClient(base_url=settings.provider_url, trust_env=False) as provider:
            plan = {"seed": options.seed, "late_s": LATE_S, **options.shares}
            (await provider.put("/plan", json=plan)).raise_for_status()
            shoppers = Shoppers(
                world, count=options.orders, at_once=AT_ONCE, seed=options.seed, prefix=f"pay-{options.seed}-"
            )
            outcome.seconds = await shoppers.run(lambda share: progress("orders placed and paid", 0.7 * share))
            outcome.paid = shoppers.paid
            began = time.monotonic()
            await _until_rest(settings, outcome, progress)
            outcome.rest_s = time.monotonic() - began
            outcome.injected = (await provider.get("/plan")).json()["counts"]
        for child in children:
            if child.pid is None:
                raise UsageError(f"{child.program.name} has ended by itself: {child.last_words()}")
        progress("gathering", 0.95)
        outcome.summary, platform = await asyncio.to_thread(_told, settings)
        charges = await asyncio.to_thread(read_statement, settings.provider_url)
        outcome.sides = Sides(shoppers.epoch, shoppers.users, shoppers.requests, platform, charges, [])
    return outcome


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[tuple[Settings, list[Child]]]:
    """Provider and platform, ready, and the platform's settings. Raises StartFailed."""
    async with AsyncExitStack() as stack:
        front, payments, health = (stack.enter_context(bind("127.0.0.1", 0)) for _ in range(3))
        settings = replace(options.settings, public_url=url_of(front), provider_url=url_of(payments))
        if scaled(settings) and not settings.redis_url:
            raise UsageError("a platform on PostgreSQL needs Redis for its stream: --redis redis://127.0.0.1:6379/0")
        wanted = [programs.provider(settings, payments, options.folder / "payments.jsonl")]
        if scaled(settings):
            wanted += [programs.relay(settings, health), programs.worker(1, settings, front)]
        else:
            words = ["serve", "--provider-url", settings.provider_url, "--fd", str(front.fileno()), "--announce"]
            inherited = (front.fileno(),)
            env = environment(settings)
            wanted.append(Program("platform", "worker", programs.o2o(*words), env=env, fds=inherited, grace_s=15.0))
        children: list[Child] = []
        for program in wanted:
            child = Child(program, options.folder / f"{program.name}.log", lambda: None)
            stack.push_async_callback(child.stop)
            children.append(child)
            await child.start()
        yield settings, children


def _world(settings: Settings, options: Options, progress: Progress) -> World:
    few = options.orders < 2000
    size = Size(merchants=20 if few else 100, dishes=8, users=100 if few else 2000, coupons=20, stock=10**7)
    admin = AdminClient(settings.public_url, settings.admin_password)
    try:
        return make_world(admin, size, progress=progress)
    finally:
        admin.close()


async def _until_rest(settings: Settings, outcome: Outcome, progress: Progress) -> None:
    """Until the sides agree and every callback that comes at all has come; what is left is in `unrest`."""
    end = time.monotonic() + REST_S
    admin = await asyncio.to_thread(AdminClient, settings.public_url, settings.admin_password)
    try:
        while True:
            outcome.unrest = await asyncio.to_thread(_unrest, settings, admin)
            told = ", ".join(f"{count} {name}" for name, count in outcome.unrest.items()) or "at rest"
            progress(f"reconciling: {told}", 0.75)
            if not outcome.unrest or time.monotonic() > end:
                return
            await asyncio.sleep(PAUSE_S)
    finally:
        admin.close()


def _unrest(settings: Settings, admin: AdminClient) -> dict[str, int]:
    """What is still on its way, by name; nothing: at rest."""
    with httpx.Client(base_url=settings.provider_url, trust_env=False) as provider:
        to_tell = provider.get("/plan").json()["counts"]["to_tell"]
    summary = admin.get("/admin/payments/reconcile")
    found = {"callbacks to come": to_tell, "refunds owed": summary["refunds_owed"]}
    found |= {f"payments {state}": count for state, count in summary["waiting"].items()}
    return {name: count for name, count in found.items() if count > 0}


def _told(settings: Settings) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """What the platform says: of reconciliation, and its tables."""
    admin = AdminClient(settings.public_url, settings.admin_password)
    try:
        summary = admin.get("/admin/payments/reconcile")
        return summary, read_platform(admin)
    finally:
        admin.close()
