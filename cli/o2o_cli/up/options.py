"""Options that the processes of a platform share: `o2o serve`, `relay`, `dispatch`, `provider`, `printers`, `up`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from o2o_cli.errors import tell

HostOption = Annotated[str, typer.Option("--host", help="Address to listen on.")]
DatabaseOption = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="sqlite:///o2o.db, or postgresql://user@host:port/name.")
]
RedisOption = Annotated[
    str | None, typer.Option("--redis", metavar="URL", help="Needed with PostgreSQL, e.g. redis://127.0.0.1:6379/0.")
]
SettingsOption = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="Settings as JSON, over those of O2O_* variables.")
]
AnnounceOption = Annotated[
    bool, typer.Option("--announce", help="When ready, print one JSON line with the addresses (for scripts).")
]
StopOnEofOption = Annotated[
    bool, typer.Option("--stop-on-eof", help="Stop when standard input is closed (for a parent process).")
]
HealthPortOption = Annotated[
    int,
    typer.Option("--health-port", min=0, max=65535, help="Port of /healthz, /readyz and /metrics; 0 takes a free one."),
]
DescriptorOption = Annotated[
    int | None,
    typer.Option("--fd", min=3, metavar="N", hidden=True, help="Listen on this inherited socket (for a parent)."),
]


def say_ready(announce: bool, text: str, **facts: Any) -> None:
    """Tell that a process is ready: a JSON line for scripts, a sentence for people."""
    if announce:
        typer.echo(json.dumps({"ready": True, **facts}))
    else:
        tell(text)
