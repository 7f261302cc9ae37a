"""`o2o serve`: the reference platform on SQLite, with its sandbox payment provider."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from o2o_cli.errors import tell
from o2o_cli.jobs.platform import bind, read_settings
from o2o_cli.jobs.platform import serve as serve_platform
from o2o_cli.jobs.restart import keep_secrets, with_kept_secrets
from o2o_platform.settings import Settings


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of the platform; 0 takes a free one.")
    ] = 8000,
    provider_port: Annotated[
        int, typer.Option("--provider-port", min=0, max=65535, help="Port of the payment provider; 0 takes a free one.")
    ] = 8001,
    database: Annotated[
        str | None, typer.Option("--database", metavar="URL", help="e.g. sqlite:///o2o.db (the default)")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="Settings as JSON, over those of O2O_* variables.")
    ] = None,
    announce: Annotated[
        bool, typer.Option("--announce", help="When ready, print one JSON line with the addresses (for scripts).")
    ] = False,
    stop_on_eof: Annotated[
        bool, typer.Option("--stop-on-eof", help="Stop when standard input is closed (for a parent process).")
    ] = False,
) -> None:
    """Serve the reference platform: API at http://HOST:PORT/docs, payments at the provider's port, data in SQLite.

    Stops with Ctrl-C; what was acknowledged is in the database and is taken up again at the next start, for which the
    signing keys and the provider's journal are kept beside it (DATABASE.secrets, DATABASE.payments). The password
    of the account `admin` is O2O_ADMIN_PASSWORD, or is made up and printed.

    Example: o2o serve --port 8000 --database sqlite:///lunch.db
    """
    chosen = read_settings(settings) if settings else Settings.from_env()
    if database:
        chosen = replace(chosen, database_url=database)
    if settings is None:  # a settings file says all there is to say, secrets included
        chosen = with_kept_secrets(chosen)
    made_up = not chosen.admin_password
    if made_up:
        chosen = replace(chosen, admin_password=secrets.token_urlsafe(12))
    platform_socket, provider_socket = bind(host, port), bind(host, provider_port)

    def ready(addresses: dict[str, Any]) -> None:
        if settings is None:
            keep_secrets(chosen)
        if made_up:
            tell(f"password of the account `admin`: {chosen.admin_password}")
        if announce:
            typer.echo(json.dumps({"ready": True, **addresses}))
        else:
            tell(f"platform at {addresses['base_url']} (docs at /docs), payments at {addresses['provider_url']}")

    uvloop.run(serve_platform(chosen, platform_socket, provider_socket, on_ready=ready, stop_on_eof=stop_on_eof))
