"""`o2o up`: the scaled platform on one machine, under one supervisor.

Decides who is there and in which order all come and go: servers of its own first and last; then provider, printers and
helpers; then the platform: relay, dispatchers, workers, which end in the opposite order (workers first: no new orders,
then dispatchers, which finish the tickets in hand). Decides what the rest of the machine may know of it: up.json.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import make_url

from o2o_cli.jobs.platform import write_settings
from o2o_cli.jobs.serving import bind, stop_event, url_of
from o2o_cli.up import programs
from o2o_cli.up.child import Program
from o2o_cli.up.folder import StateFolder, write_json
from o2o_cli.up.mqtt_broker import own_broker
from o2o_cli.up.ports import free_ports
from o2o_cli.up.postgres import own_postgres
from o2o_cli.up.redis_server import own_redis
from o2o_cli.up.supervisor import Supervisor, unless
from o2o_platform.settings import Settings

STOP_ORDER = ("worker", "dispatcher", "relay", "provider", "printers", "helper", "broker", "redis", "postgres")
FORMAT = 1
"""Of up.json."""


@dataclass(frozen=True)
class Plan:
    """What is to run. `database` or `redis` None: a server of its own. `provider_url` None: a provider of its own.
    A broker is there for printers on MQTT only: the one of `settings.mqtt_url`, or with `broker` one of its own."""

    settings: Settings
    state: Path
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2
    dispatchers: int = 1
    printers: int = 50
    helpers: tuple[str, ...] = ()
    database: str | None = None
    redis: str | None = None
    provider_port: int = 0
    provider_url: str | None = None
    broker: bool = False
    printer_options: tuple[str, ...] = ()
    given: frozenset[str] = field(default_factory=frozenset)
    """Secrets of `settings` that were given, not made up: those the folder keeps do not replace them."""


class ScaledSet:
    """One set; `run` it once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.folder = StateFolder(plan.state)
        self._supervisor = Supervisor(self.folder.logs, changed=self._write)
        self._state = "starting"
        self._began = time.time()
        self._sockets = ExitStack()

    async def run(self, *, on_ready: Callable[[dict[str, Any]], None], stop_on_eof: bool = False) -> None:
        """Start everything, keep it running until told to end, end it. Raises UsageError when it cannot be started."""
        stopped = stop_event(stop_on_eof=stop_on_eof)
        self.folder.take()
        try:
            with self._sockets:
                if await unless(stopped, self._start()):
                    self._become("ready")
                    on_ready(self.facts())
                    await stopped.wait()
                self._become("stopping")
        finally:
            await self._stop()
            self._become("stopped")
            self.folder.release()

    def facts(self) -> dict[str, Any]:
        """What whoever started it wants to know; no secrets."""
        return {
            "base_url": self.settings.public_url,
            "provider_url": self.settings.provider_url,
            "database": _shown(self.settings.database_url),
            "redis": _shown(self.settings.redis_url),
            "redis_prefix": self.settings.redis_prefix,
            "mqtt": _shown(self.settings.mqtt_url) or None,
            "pid": os.getpid(),
            "state_folder": str(self.folder.path),
            "settings_file": str(self.folder.settings),
            "printers_file": str(self.folder.printers) if self.plan.printers else None,
            "paper_file": str(self.folder.paper) if self.plan.printers else None,
        }

    # --- coming ------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        listener = self._listen(self.plan.port, "--port")
        settings = self._with_secrets(replace(self.settings, public_url=url_of(listener)))
        self.settings = settings = await self._with_servers(settings)
        others = []
        if self.plan.provider_url is None:
            payments = self._listen(self.plan.provider_port, "--provider-port")
            self.settings = settings = replace(settings, provider_url=url_of(payments))
            others.append(programs.provider(settings, payments, self.folder.payments))
        if self.plan.printers:
            folder, options = self.folder, self.plan.printer_options
            others.append(programs.printers(self.plan.printers, folder.printers, folder.paper, options))
        self.settings = settings = self._with_helpers(others)
        write_settings(settings, self.folder.settings)
        platform = [programs.relay(settings, self._listen(0, "--health-port"))]
        platform += [programs.worker(number, settings, listener) for number in range(1, self.plan.workers + 1)]
        platform += [
            programs.dispatcher(number, self._named(number), self._listen(0, "--health-port"))
            for number in range(1, self.plan.dispatchers + 1)
        ]
        await self._supervisor.start([*others, *platform])  # whoever comes first makes the tables

    def _named(self, number: int) -> Settings:
        """The settings of a dispatcher: its session at the broker is its own, also after its next start."""
        name = f"o2o-{self.folder.kept('mqtt_name', token_hex(4))}-{number}"
        return replace(self.settings, mqtt_client=name)

    def _listen(self, port: int, option: str) -> socket.socket:
        """A socket that stays while those who answer on it come and go."""
        return self._sockets.enter_context(bind(self.plan.host, port, option=option))

    def _with_secrets(self, settings: Settings) -> Settings:
        """Those that were made at the first start, unless others are given now."""
        made = ("jwt_secret", "provider_secret", "admin_password")
        kept = {name: self.folder.secret(name) for name in made if name not in self.plan.given}
        return replace(settings, **kept)  # type: ignore[arg-type]

    async def _with_servers(self, settings: Settings) -> Settings:
        """The settings with the addresses of database, Redis and broker, which run."""
        # All are prepared before the first is started: what is missing is told before anything runs.
        postgres = own_postgres(self.folder) if self.plan.database is None else None
        redis = own_redis(self.folder) if self.plan.redis is None else None
        broker = own_broker(self.folder) if self.plan.broker else None
        own: list[Program] = [server.program for server in (postgres, redis, broker) if server is not None]
        await self._supervisor.start(own)
        if postgres is not None:
            await postgres.create_database()
        return replace(
            settings,
            database_url=postgres.url if postgres is not None else str(self.plan.database),
            redis_url=redis.url if redis is not None else str(self.plan.redis),
            mqtt_url=broker.url if broker is not None else settings.mqtt_url,
        )

    def _with_helpers(self, others: list[Program]) -> Settings:
        """The settings with the addresses of the helpers that were asked for, which are added to the others."""
        urls = {}
        taken = [program.port for program in others if program.port]
        ports = free_ports(len(self.plan.helpers), host=self.plan.host, apart_from=taken)
        for name, port in zip(self.plan.helpers, ports, strict=True):
            others.append(programs.helper(name, self.plan.host, port, self.folder.path / f"{name}.db"))
            urls[f"{name}_url"] = f"http://{self.plan.host}:{port}"
        return replace(self.settings, **urls)  # type: ignore[arg-type]

    # --- going -------------------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        by_kind: dict[str, list[str]] = {}
        for name, child in self._supervisor.children.items():
            by_kind.setdefault(child.program.kind, []).append(name)
        for kind in STOP_ORDER:
            await self._supervisor.stop(by_kind.get(kind, ()))

    # --- being seen --------------------------------------------------------------------------------------------------

    def _become(self, state: str) -> None:
        self._state = state
        self._write()

    def _write(self) -> None:
        table = {
            "format": FORMAT,
            "state": self._state,
            "began": self._began,
            **self.facts(),
            "processes": [asdict(row) for row in self.processes()],
        }
        write_json(self.folder.up, table)

    def processes(self) -> Iterable[Row]:
        """How each child is, in the order of their start."""
        for child in self._supervisor.children.values():
            program = child.program
            yield Row(
                program.name,
                program.kind,
                child.pid,
                program.port,
                child.state,
                child.restarts,
                child.since,
                child.code,
            )


@dataclass(frozen=True)
class Row:
    """One process as it stands in up.json. `code`: how its last process ended (minus a signal), null if none has."""

    name: str
    kind: str
    pid: int | None
    port: int | None
    state: str
    restarts: int
    since: float
    code: int | None


def _shown(url: str) -> str:
    """An address without its password."""
    return make_url(url).render_as_string(hide_password=True) if "://" in url else url
