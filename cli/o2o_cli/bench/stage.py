"""The stage of a benchmark: servers, a fresh database, and the platform's processes, one of each kind.

Decides that PostgreSQL and Redis are the benchmark's own unless others are named, that nothing of it is left behind,
and which settings every measurement shares: opening hours and deadlines must not disturb it, nothing else is changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import redis.asyncio as redis_client

from o2o_cli.bench.cpu import cpu_s
from o2o_cli.errors import UsageError
from o2o_cli.jobs.platform import write_settings
from o2o_cli.up.child import Program
from o2o_cli.up.folder import StateFolder
from o2o_cli.up.ports import free_ports
from o2o_cli.up.postgres import drop_cluster, own_postgres
from o2o_cli.up.redis_server import own_redis
from o2o_cli.up.supervisor import Supervisor
from o2o_loadtest.peak.figures import Figures
from o2o_loadtest.peak.spec import Spec, figures_of, start
from o2o_loadtest.setup import AdminClient
from o2o_platform.settings import Settings

HOST = "127.0.0.1"
SHOWN = ("server_version", "fsync", "shared_buffers", "max_connections", "max_wal_size", "wal_compression")
"""Settings of the server that stand in every report."""
COMMANDS = {"worker": "serve", "relay": "relay", "dispatcher": "dispatch", "provider": "provider"}
"""Kind of a process -> the command that is it."""
_OPEN = """
    SELECT count(*) > 0 FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND state <> 'idle'"""
HOLD_S = 10.0
"""A process that is to stand still is watched so long for a moment between two transactions."""
EDGE_S = 0.3
"""CPU is looked at so long before the end of the measured seconds: the load process must still be there."""


class Stage:
    """Use as an async context manager; `start` processes on it."""

    def __init__(self, folder: Path, *, database: str | None = None, redis: str | None = None) -> None:
        """`database` and `redis`: URLs of servers that run already; a database of its own is made on the first."""
        self.folder = folder
        self.url = ""
        """Of the fresh database."""
        self._server, self._redis = database, redis
        self._stack = AsyncExitStack()
        self._state = StateFolder(folder / "state")
        self._supervisor: Supervisor | None = None
        self._ports: dict[str, int] = {}
        self._settings_path = folder / "settings.json"
        self.settings = Settings()

    async def __aenter__(self) -> Self:
        """Raises UsageError when a server is missing or cannot be reached."""
        async with AsyncExitStack() as stack:
            self._state.take()
            stack.callback(self._state.release)
            self._supervisor = Supervisor(self._state.logs)
            if self._server is None:
                stack.callback(drop_cluster, self._state)
            stack.push_async_callback(self._stop_all)
            if self._server is None:
                postgres = own_postgres(self._state)
                await self._supervisor.start([postgres.program])
                self._server = postgres.url
            if self._redis is None:
                redis = own_redis(self._state)
                await self._supervisor.start([redis.program])
                self._redis = redis.url
            else:
                stack.push_async_callback(self._empty_redis)
            await self._fresh_database(stack)
            self._configure()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def start(self, kind: str) -> None:
        """Start the process of a kind; it is ready when this returns. Raises UsageError."""
        assert self._supervisor is not None
        command = COMMANDS[kind]
        option = "--health-port" if kind in ("relay", "dispatcher") else "--port"
        argv = [sys.executable, "-m", "o2o_cli.main", command, "--settings", str(self._settings_path), "--announce"]
        argv += [option, str(self._port(kind))]
        await self._supervisor.start([Program(kind, kind, argv, port=self._port(kind))])

    async def stop(self, *kinds: str) -> None:
        """End processes."""
        assert self._supervisor is not None
        await self._supervisor.stop(kinds)

    async def restart(self, kind: str) -> None:
        """End it and start it anew."""
        await self.stop(kind)
        await self.start(kind)

    @asynccontextmanager
    async def held(self, kind: str) -> AsyncIterator[None]:
        """A process stands still while the body runs: what it does when idle is not to slow the reference.

        It is stopped between two transactions: in the middle of one it would hold locks that the reference waits for.
        Raises UsageError if there is no such moment in `HOLD_S`.
        """
        pid, end = self.pids[kind], time.monotonic() + HOLD_S
        try:
            while True:
                os.kill(pid, signal.SIGSTOP)
                if not await self._busy():
                    break
                os.kill(pid, signal.SIGCONT)
                if time.monotonic() > end:
                    raise UsageError(f"the {kind} is never between two transactions")
                await asyncio.sleep(0.02)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _busy(self) -> bool:
        """Whether anybody else has a transaction open in the fresh database."""
        conn = await asyncpg.connect(self.url)
        try:
            return bool(await conn.fetchval(_OPEN))
        finally:
            await conn.close()

    @property
    def base_url(self) -> str:
        """Where the worker answers."""
        return f"http://{HOST}:{self._port('worker')}"

    @property
    def pids(self) -> dict[str, int]:
        """Of the processes that run, by name; a given PostgreSQL or Redis is not among them."""
        assert self._supervisor is not None
        return {name: child.pid for name, child in self._supervisor.children.items() if child.pid is not None}

    async def admin(self) -> AdminClient:
        """A logged-in administrator."""
        return await asyncio.to_thread(AdminClient, self.base_url, self.settings.admin_password)

    async def synchronous_commit(self, mode: str) -> None:
        """Have the database's sessions from now on wait for the disk at commit ("on"), or not ("off")."""
        await self.execute(f'ALTER DATABASE "{self.url.rpartition("/")[2]}" SET synchronous_commit = {mode}')

    async def settle(self) -> None:
        """Before a measurement: what earlier ones left to be written is written, tables are known to the planner."""
        await self.execute("ANALYZE")
        try:
            await self.execute("CHECKPOINT")
        except asyncpg.InsufficientPrivilegeError:
            return  # somebody else's server

    async def execute(self, statement: str) -> None:
        """One statement on the fresh database."""
        conn = await asyncpg.connect(self.url)
        try:
            await conn.execute(statement)
        finally:
            await conn.close()

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        """Rows of a query on the fresh database."""
        conn = await asyncpg.connect(self.url)
        try:
            rows: list[asyncpg.Record] = await conn.fetch(query)
            return rows
        finally:
            await conn.close()

    async def server_settings(self) -> dict[str, str]:
        """What the server runs with, for the report."""
        shown = {name: str((await self.fetch(f"SHOW {name}"))[0][0]) for name in SHOWN}
        return {**shown, "own": "yes" if "postgres" in self.pids else "no"}

    async def load(
        self,
        spec: Spec,
        *,
        on_line: Callable[[dict[str, Any]], None] = lambda line: None,
        pids: Mapping[str, int] | None = None,
    ) -> tuple[Figures, dict[str, float]]:
        """Run a load process; its figures, and the cores that each process (`pids`: others too) kept busy meanwhile."""
        child = await asyncio.to_thread(start, spec, self.folder, on_line=on_line)
        try:
            watched = {**self.pids, **(pids or {}), "load": child.pid}
            await asyncio.sleep(spec.warmup_s + EDGE_S)  # EDGE_S: it has to start first
            cores = await self.cores(watched, max(spec.seconds - 2 * EDGE_S, EDGE_S))
            patience_s = spec.seconds + spec.give_up_s + 90.0
            return await asyncio.to_thread(figures_of, child, spec, patience_s=patience_s), cores
        finally:
            await asyncio.to_thread(child.stop)

    async def cores(self, pids: Mapping[str, int], seconds: float) -> dict[str, float]:
        """Cores that each of these keeps busy in the next seconds."""
        before, began = cpu_s(pids), time.perf_counter()
        await asyncio.sleep(seconds)
        after, took = cpu_s(pids), time.perf_counter() - began
        return {name: round((after[name] - before[name]) / took, 3) for name in after if name in before}

    # -----------------------------------------------------------------------------------------------------------------

    async def _fresh_database(self, stack: AsyncExitStack) -> None:
        assert self._server is not None
        base = self._server.rpartition("/")[0]
        name = f"o2o_bench_{secrets.token_hex(4)}"

        async def run(statement: str) -> None:
            conn = await asyncpg.connect(f"{base}/postgres", timeout=10.0)
            try:
                await conn.execute(statement)
            finally:
                await conn.close()

        try:
            await run(f'CREATE DATABASE "{name}"')
        except (OSError, asyncpg.PostgresError) as error:
            raise UsageError(f"--database: no database can be made there ({error})") from None
        self.url = f"{base}/{name}"
        stack.push_async_callback(run, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        stack.push_async_callback(self._stop_platform)

    async def _empty_redis(self) -> None:
        """Leave nothing on somebody else's server."""
        if not self.settings.redis_url:
            return  # nothing was started
        client = redis_client.Redis.from_url(self.settings.redis_url, socket_timeout=10.0)
        try:
            async for key in client.scan_iter(f"{self.settings.redis_prefix}*", count=1000):
                await client.delete(key)
        finally:
            await client.aclose()

    def _configure(self) -> None:
        assert self._redis is not None
        self.settings = replace(
            Settings.from_env(),
            database_url=self.url,
            redis_url=self._redis,
            redis_prefix=self.url.rpartition("/")[2],
            admin_password=secrets.token_urlsafe(12),
            jwt_secret=secrets.token_hex(32),
            provider_secret=secrets.token_hex(32),
            public_url=f"http://{HOST}:{self._port('worker')}",
            provider_url=f"http://{HOST}:{self._port('provider')}",
            enforce_hours=False,
            payment_deadline_s=86_400.0,  # nobody pays in a benchmark of placing
        )
        write_settings(self.settings, self._settings_path)

    def _port(self, kind: str) -> int:
        if kind not in self._ports:
            self._ports[kind] = free_ports(1, apart_from=self._ports.values())[0]
        return self._ports[kind]

    async def _stop_platform(self) -> None:
        await self.stop(*reversed(COMMANDS))

    async def _stop_all(self) -> None:
        assert self._supervisor is not None
        await self.stop(*COMMANDS)
        await self.stop("redis")
        await self.stop("postgres")
