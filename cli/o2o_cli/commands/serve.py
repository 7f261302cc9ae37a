"""`o2o serve`: the platform's front door; embedded with all that belongs to it, scaled as one or several workers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer
import uvloop

from o2o_cli.errors import UsageError, tell
from o2o_cli.jobs import roles
from o2o_cli.jobs.platform import chosen_settings, scaled
from o2o_cli.jobs.restart import keep_secrets, with_kept_secrets
from o2o_cli.jobs.serving import Site, bind, inherited, url_of
from o2o_cli.jobs.serving import serve as serve_sites
from o2o_cli.up.options import (
    AnnounceOption,
    DatabaseOption,
    DescriptorOption,
    HostOption,
    RedisOption,
    SettingsOption,
    StopOnEofOption,
    say_ready,
)
from o2o_cli.up.workers import serve_workers


def serve(
    host: HostOption = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of the platform; 0 takes a free one.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Processes that answer on the port (PostgreSQL only).")
    ] = 1,
    provider_port: Annotated[
        int, typer.Option("--provider-port", min=0, max=65535, help="Port of the payment provider; 0 takes a free one.")
    ] = 8001,
    provider_url: Annotated[
        str | None,
        typer.Option("--provider-url", metavar="URL", help="Use the payment provider there, and start none (SQLite)."),
    ] = None,
    database: DatabaseOption = None,
    redis: RedisOption = None,
    settings: SettingsOption = None,
    announce: AnnounceOption = False,
    stop_on_eof: StopOnEofOption = False,
    fd: DescriptorOption = None,
) -> None:
    """Serve the reference platform: API at http://HOST:PORT/docs.

    On SQLite (the default) this one process is everything, the payment provider included. On PostgreSQL it is the
    workers that answer requests, beside `o2o relay`, `o2o dispatch` and `o2o provider` (`o2o up` starts them all).
    Stops with Ctrl-C; what was acknowledged is in the database and is taken up again at the next start. With SQLite
    the signing keys and the provider's journal are kept beside it (DATABASE.secrets, DATABASE.payments). The password
    of the account `admin` is O2O_ADMIN_PASSWORD, or is made up and printed.

    Example: o2o serve --port 8000 --database sqlite:///lunch.db
    """
    chosen = chosen_settings(settings, database=database, redis=redis)
    if workers > 1 and not scaled(chosen):
        raise UsageError(
            f"--workers {workers} needs PostgreSQL, for SQLite has one writer: "
            "--database postgresql://user@host:port/name --redis URL"
        )
    if scaled(chosen):
        roles.must_share_secrets(settings)
    elif settings is None:  # a settings file says all there is to say, secrets included
        chosen = with_kept_secrets(chosen)
    if provider_url:
        chosen = replace(chosen, provider_url=provider_url)
    made_up = not chosen.admin_password
    if made_up:
        chosen = replace(chosen, admin_password=secrets.token_urlsafe(12))
    listener = bind(host, port) if fd is None else inherited(fd)
    own_provider = None if scaled(chosen) or provider_url else bind(host, provider_port, option="--provider-port")
    base_url = url_of(listener)
    payments = url_of(own_provider) if own_provider is not None else chosen.provider_url

    def ready() -> None:
        if settings is None and not scaled(chosen):
            keep_secrets(chosen)
        if made_up:
            tell(f"password of the account `admin`: {chosen.admin_password}")
        told = f"platform at {base_url} (docs at /docs), payments at {payments}"
        say_ready(announce, told, base_url=base_url, provider_url=payments)

    if workers > 1:
        asyncio.run(serve_workers(chosen, listener, workers, on_ready=ready, stop_on_eof=stop_on_eof))
        return
    role = "worker" if scaled(chosen) else "platform"
    log_config = roles.start_logs(chosen, role)
    sites: Sequence[Site] = (
        roles.worker(chosen, listener) if scaled(chosen) else roles.embedded(chosen, listener, own_provider)
    )
    uvloop.run(serve_sites(sites, on_ready=ready, stop_on_eof=stop_on_eof, log_config=log_config))
