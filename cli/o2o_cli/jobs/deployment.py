"""A scaled platform for one live run: `o2o up` in the run's folder, on a database of its own, gone afterwards.

Decides that nothing of a run is left behind but its logs, unless somebody asks to keep it: the set's own servers with
their data, or on given servers the run's database and its keys in Redis.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
from redis import Redis
from redis.exceptions import RedisError

from o2o_cli.errors import UsageError
from o2o_cli.jobs.helpers import with_helpers
from o2o_cli.jobs.platform import settings_for, write_settings
from o2o_cli.up.folder import StateFolder
from o2o_cli.up.postgres import drop_cluster
from o2o_loadtest.live import Target
from o2o_scenarios.schema import Scenario

KINDS = ("embedded", "scaled")
START_S = 180.0
STOP_S = 60.0
SLOW_LOG_SAMPLE = 0.01
"""Under load one request in a hundred has its line."""


@dataclass(frozen=True)
class Deployment:
    """How the scaled platform of a run is made. `database` or `redis` None: a server of the run's own."""

    workers: int = 2
    dispatchers: int = 1
    database: str | None = None
    redis: str | None = None
    keep: bool = False


def deployment_of(
    kind: str, workers: int, dispatchers: int, database: str | None, redis: str | None, keep: bool
) -> Deployment | None:
    """What the options of a command say; None: embedded. A server that is named means scaled. Raises UsageError."""
    if kind not in KINDS:
        raise UsageError(f"--deployment {kind}: one of {', '.join(KINDS)} is wanted")
    if database and not database.startswith("postgresql://"):
        raise UsageError(f"--database {database}: a scaled platform needs postgresql://user@host:port/name")
    if kind == "embedded" and not (database or redis):
        return None
    return Deployment(workers, dispatchers, database, redis, keep)


@contextmanager
def scaled_platform(scenario: Scenario, folder: Path, deployment: Deployment) -> Iterator[Target]:
    """The platform as a run's target, to be started by it. Raises UsageError."""
    state = StateFolder(folder / "up")
    name = f"o2o_run_{secrets.token_hex(4)}"
    plain, helpers = with_helpers(settings_for(scenario), scenario, folder.resolve())
    settings = replace(
        plain, admin_password=secrets.token_urlsafe(16), redis_prefix=name, log="json", log_sample=SLOW_LOG_SAMPLE
    )
    path = folder / "live-settings.json"
    words = ["up", "--state", str(state.path), "--port", "0", "--printers", "0", "--settings", str(path)]
    words += ["--workers", str(deployment.workers), "--dispatchers", str(deployment.dispatchers)]
    with ExitStack() as stack:
        if not deployment.keep:
            stack.callback(_forget, state, folder / "logs")
        if deployment.database:
            words += ["--database", stack.enter_context(_database(deployment.database, name, deployment.keep))]
        if deployment.redis:
            words += ["--redis", deployment.redis]
            if not deployment.keep:
                stack.callback(_drop_keys, deployment.redis, name)
        write_settings(settings, path)
        argv = [sys.executable, "-m", "o2o_cli.main", *words, "--announce", "--stop-on-eof"]
        yield Target(settings.admin_password, argv=argv, helpers=helpers, start_s=START_S, stop_s=STOP_S)


def _forget(state: StateFolder, logs: Path) -> None:
    """Remove the state folder, and the cluster wherever it lies; the logs go to the run's."""
    logs.mkdir(exist_ok=True)
    for log in state.logs.glob("*.log"):
        log.replace(logs / log.name)
    drop_cluster(state)
    shutil.rmtree(state.path, ignore_errors=True)


@contextmanager
def _database(server: str, name: str, keep: bool) -> Iterator[str]:
    """The URL of a new database on a server; it is dropped at the end."""
    base = server.rpartition("/")[0]
    try:
        asyncio.run(_execute(server, f'CREATE DATABASE "{name}"'))
    except (OSError, asyncpg.PostgresError) as error:
        raise UsageError(f"--database {server}: no database can be made there ({error})") from None
    try:
        yield f"{base}/{name}"
    finally:
        if not keep:
            asyncio.run(_execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url, timeout=10.0)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


def _drop_keys(url: str, prefix: str) -> None:
    client = Redis.from_url(url, socket_timeout=10.0)
    try:
        for key in client.scan_iter(f"{prefix}:*", count=1000):
            client.delete(key)
    except RedisError:
        return  # gone, and its keys with it, or not ours to mend
    finally:
        client.close()
