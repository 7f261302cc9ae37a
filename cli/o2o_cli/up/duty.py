"""What `o2o relay` and `o2o dispatch` have in common: one duty, and a port that tells how the process is."""

from __future__ import annotations

from pathlib import Path

import uvloop

from o2o_cli.errors import UsageError
from o2o_cli.jobs import roles
from o2o_cli.jobs.platform import chosen_settings, scaled
from o2o_cli.jobs.serving import bind, inherited, serve, url_of
from o2o_cli.up.options import say_ready
from o2o_platform.kit.duties import Duty


def run_duty(
    name: str,
    host: str,
    health_port: int,
    fd: int | None,
    database: str | None,
    redis: str | None,
    file: Path | None,
    announce: bool,
    stop_on_eof: bool,
) -> None:
    """Do the duty of that name until told to end. Raises UsageError where one process does everything."""
    chosen = chosen_settings(file, database=database, redis=redis)
    if not scaled(chosen):
        raise UsageError(
            f"`o2o {name}` is a process of the scaled deployment: --database postgresql://user@host:port/name "
            "--redis URL (on SQLite `o2o serve` does it all)"
        )
    listener = bind(host, health_port, option="--health-port") if fd is None else inherited(fd)
    health_url = url_of(listener)
    log_config = roles.start_logs(chosen, name)
    sites = roles.behind(chosen, Duty(name), listener)

    def ready() -> None:
        say_ready(announce, f"{name} runs; how it is: {health_url}/readyz, {health_url}/metrics", health_url=health_url)

    uvloop.run(serve(sites, on_ready=ready, stop_on_eof=stop_on_eof, log_config=log_config))
