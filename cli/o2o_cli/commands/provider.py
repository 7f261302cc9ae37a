"""`o2o provider`: the sandbox payment provider as a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from o2o_cli.errors import UsageError
from o2o_cli.jobs import roles
from o2o_cli.jobs.platform import read_settings
from o2o_cli.jobs.serving import bind, inherited, serve, url_of
from o2o_cli.options import file_for
from o2o_cli.up.options import (
    AnnounceOption,
    DescriptorOption,
    HostOption,
    SettingsOption,
    StopOnEofOption,
    say_ready,
)
from o2o_platform.settings import Settings


def provider(
    host: HostOption = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8001,
    platform_url: Annotated[
        str | None,
        typer.Option(
            "--platform-url", metavar="URL", help="Where payments are told (default: the settings' public_url)."
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            metavar="FILE",
            callback=file_for("--journal"),
            help="Keep the books there: a provider that was killed goes on with them.",
        ),
    ] = None,
    settings: SettingsOption = None,
    announce: AnnounceOption = False,
    stop_on_eof: StopOnEofOption = False,
    fd: DescriptorOption = None,
) -> None:
    """Run the sandbox payment provider: takes payments, tells the platform by signed callbacks, keeps a statement.

    The secret that it shares with the platform is O2O_PROVIDER_SECRET, or stands in the settings file.

    Example: o2o provider --port 8001 --platform-url http://127.0.0.1:8000
    """
    roles.must_share_secrets(settings, "provider_secret")
    chosen = read_settings(settings) if settings else Settings.from_env()
    told = platform_url or chosen.public_url
    if not told.startswith("http://"):
        raise UsageError(f"--platform-url {told}: an http:// address is needed")
    listener = bind(host, port) if fd is None else inherited(fd)
    provider_url = url_of(listener)
    sites = roles.provider(chosen, listener, told, journal)
    log_config = roles.start_logs(chosen, "provider")

    def ready() -> None:
        say_ready(announce, f"payments at {provider_url}, told to {told}", provider_url=provider_url)

    uvloop.run(serve(sites, on_ready=ready, stop_on_eof=stop_on_eof, log_config=log_config))
