"""`o2o up`: the scaled platform on one machine, all its processes under one supervisor."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from o2o_cli import console
from o2o_cli.commands.printers import FaultsOption, SpeedOption
from o2o_cli.errors import EXIT_NOT_MET, UsageError, tell
from o2o_cli.jobs.platform import read_settings
from o2o_cli.options import folder_for
from o2o_cli.up.folder import read_json, running
from o2o_cli.up.options import AnnounceOption, HostOption, SettingsOption, StopOnEofOption, say_ready
from o2o_cli.up.scaled import Plan, ScaledSet
from o2o_devices.chances import Chances, parse_shares
from o2o_platform.settings import Settings

HELPERS = ("risk", "recommendation", "reviews")
SECRETS = ("jwt_secret", "provider_secret", "admin_password")


def up(
    state: Annotated[
        Path,
        typer.Option(
            "--state", metavar="FOLDER", callback=folder_for("--state"), help="Keeps data, secrets, logs, up.json."
        ),
    ] = Path("results/up"),
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that answer requests.")] = 2,
    dispatchers: Annotated[int, typer.Option("--dispatchers", min=1, max=64, help="Processes that print.")] = 1,
    printers: Annotated[
        int, typer.Option("--printers", min=0, max=20_000, help="Virtual printers; 0: none, others are used.")
    ] = 50,
    helpers: Annotated[
        str, typer.Option("--helpers", metavar="NAME,...", help="Also run risk, recommendation or reviews, or `all`.")
    ] = "",
    host: HostOption = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of the platform; 0 takes a free one.")
    ] = 8000,
    provider_port: Annotated[
        int, typer.Option("--provider-port", min=0, max=65535, help="Port of the payment provider; 0 takes a free one.")
    ] = 0,
    database: Annotated[
        str | None, typer.Option("--database", metavar="URL", help="postgresql://... (default: a server of its own).")
    ] = None,
    redis: Annotated[
        str | None, typer.Option("--redis", metavar="URL", help="redis://... (default: a server of its own).")
    ] = None,
    broker: Annotated[
        bool, typer.Option("--broker", help="Also run an MQTT broker (mosquitto), for printers on CloudPRNT over MQTT.")
    ] = False,
    mqtt_url: Annotated[
        str | None, typer.Option("--mqtt-url", metavar="URL", help="The broker of such printers, if it runs already.")
    ] = None,
    settings: SettingsOption = None,
    mm_s: SpeedOption = None,
    faults: FaultsOption = None,
    announce: AnnounceOption = False,
    stop_on_eof: StopOnEofOption = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show the processes of the set in --state, and end.")
    ] = False,
) -> None:
    """Run the scaled platform: workers, relay, dispatchers, payment provider, printers, PostgreSQL and Redis.

    Whatever dies is started again; Ctrl-C ends all in good order. Data, secrets and printers' ports are kept in the
    state folder for the next start. up.json there names every process with its pid, port and restarts.

    Example: o2o up --workers 2 --printers 50 --state results/up
    """
    if status:
        raise typer.Exit(_show(state))
    asked = _helpers(helpers)
    if database and not database.startswith("postgresql://"):
        raise UsageError(f"--database {database}: a scaled platform needs postgresql://user@host:port/name")
    if redis and not redis.startswith(("redis://", "rediss://", "unix://")):
        raise UsageError(f"--redis {redis}: redis://host:port/number is wanted")
    if broker and mqtt_url:
        raise UsageError("--broker starts a broker, --mqtt-url names one that runs: one of them is enough")
    options = ["--mm-s", repr(mm_s)] if mm_s else []
    if faults:
        Chances(parse_shares(faults))  # told here, not by the child
        options += ["--faults", faults]
    chosen = read_settings(settings) if settings else Settings.from_env()
    plan = Plan(
        replace(chosen, mqtt_url=mqtt_url) if mqtt_url else chosen,
        state,
        host,
        port,
        workers,
        dispatchers,
        printers,
        asked,
        database,
        redis,
        provider_port,
        broker=broker,
        printer_options=tuple(options),
        given=_given(settings),
    )
    whole = ScaledSet(plan)

    def ready(facts: dict[str, Any]) -> None:
        told = f"platform at {facts['base_url']} (docs at /docs), payments at {facts['provider_url']}"
        say_ready(announce, told, **facts)
        if not announce:
            tell(
                f"password of the account `admin` is in {facts['settings_file']}; `o2o up --status` shows the processes"
            )

    asyncio.run(whole.run(on_ready=ready, stop_on_eof=stop_on_eof))


def _helpers(text: str) -> tuple[str, ...]:
    asked = HELPERS if text == "all" else tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in asked:
        if name not in HELPERS:
            raise UsageError(f"--helpers {text}: no helper is called {name!r} (one of {', '.join(HELPERS)}, or all)")
    return asked


def _given(file: Path | None) -> frozenset[str]:
    """Secrets that the user has given, by variable or file."""
    named = set(json.loads(file.read_text(encoding="utf-8"))) if file else set()
    return frozenset(name for name in SECRETS if name in named or f"O2O_{name.upper()}" in os.environ)


def _show(state: Path) -> int:
    """The table of processes; 1 when no set runs."""
    path = state / "up.json"
    if not path.exists():
        raise UsageError(f"--state {state}: no `o2o up` has run there")
    table = read_json(path)
    alive = running(state) is not None
    now = time.time()
    rows = [
        [
            row["name"],
            row["state"] if alive else "stopped",
            str(row["pid"] or "-") if alive else "-",
            str(row["port"] or "-"),
            str(row["restarts"]),
            f"{now - row['since']:,.0f} s" if alive else "-",
        ]
        for row in table["processes"]
    ]
    title = f"{table['base_url']}, {table['state'] if alive else 'not running'} ({table['state_folder']})"
    console.table(title, ["process", "state", "pid", "port", "restarts", "for"], rows)
    return 0 if alive else EXIT_NOT_MET
