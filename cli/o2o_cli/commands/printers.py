"""`o2o printers`: virtual printers as processes of their own, and what they print, to look at."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from o2o_cli import console
from o2o_cli.errors import UsageError
from o2o_cli.fleet.receipts import receipts_at
from o2o_cli.fleet.spec import MIX, FleetSpec, named_profile, processes_for, profile_of, told_mix
from o2o_cli.fleet.transports import TCP, TRANSPORTS, check_mqtt, check_server, fronts_of
from o2o_cli.fleet.whole import Whole
from o2o_cli.jobs.receipts import receipts_of, write_pictures
from o2o_cli.jobs.serving import bind, url_of
from o2o_cli.options import QuietOption, file_for
from o2o_cli.up.options import AnnounceOption, HostOption, StopOnEofOption, say_ready
from o2o_devices.chances import Chances, parse_shares
from o2o_devices.desk import KEEP
from o2o_devices.faults import KINDS
from o2o_devices.show import as_text

app = typer.Typer(add_completion=False, rich_markup_mode=None)
FaultsOption = Annotated[
    str | None,
    typer.Option(
        "--faults",
        metavar="FAULT=SHARE,...",
        help=f"Shares of tickets that meet a fault, of {', '.join(KINDS)}.",
    ),
]
SpeedOption = Annotated[
    float | None,
    typer.Option("--mm-s", min=1.0, max=1e6, metavar="MM", help="Paper a second; the cut keeps pace."),
]


@app.callback(invoke_without_command=True)
def printers(
    ctx: typer.Context,
    count: Annotated[int, typer.Option("--count", min=1, max=20_000, help="Printers, numbered from 0.")] = 10,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help=f"A model, 80mm, 58mm, or {MIX}: a town's printers."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, max=256, help="Default: one a core; one for few printers."),
    ] = None,
    ports_file: Annotated[
        Path,
        typer.Option(
            "--ports-file",
            metavar="FILE",
            callback=file_for("--ports-file"),
            help="Where each listens, as JSON; read again at the next start.",
        ),
    ] = Path("printers.json"),
    journal: Annotated[
        Path,
        typer.Option(
            "--journal", metavar="FILE", callback=file_for("--journal"), help="Printed paper, a JSON line a receipt."
        ),
    ] = Path("paper.jsonl"),
    host: HostOption = "127.0.0.1",
    width: Annotated[str, typer.Option("--width", metavar="MM", help="Paper: 80mm or 58mm.")] = "80mm",
    mm_s: SpeedOption = None,
    faults: FaultsOption = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the faults.")] = 0,
    repair: Annotated[
        float, typer.Option("--repair", min=0.0, metavar="S", help="Somebody repairs a fault after this time.")
    ] = 20.0,
    control: Annotated[
        str | None,
        typer.Option("--control", metavar="HOST:PORT", help="A control room over HTTP, on loopback; port 0: any free."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=0, max=100, help=f"Last receipts of each to look at there (default {KEEP})."),
    ] = None,
    figures: Annotated[
        float | None,
        typer.Option("--figures", min=0.5, metavar="S", help="Tell memory, CPU and tickets so often (also: SIGUSR1)."),
    ] = None,
    transport: Annotated[
        str,
        typer.Option("--transport", metavar="NAME[=SHARE],...", help=f"Of {', '.join(TRANSPORTS)}."),
    ] = TCP,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="The platform, for printers that fetch their jobs from it."),
    ] = None,
    mqtt_url: Annotated[
        str | None,
        typer.Option("--mqtt-url", metavar="URL", help="The broker; else the platform at --server is asked for it."),
    ] = None,
    poll: Annotated[
        float, typer.Option("--poll", min=0.1, max=86_400, metavar="S", help="Seconds between two polls of a printer.")
    ] = 5.0,
    announce: AnnounceOption = False,
    stop_on_eof: StopOnEofOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run virtual printers, each on a TCP port of its own, that print what they are sent at a printer's pace.

    A receipt is in the journal from the moment it is out, also when this process is killed. At the next start the
    same printers listen at the same ports. Ctrl-C ends it.

    Example: o2o printers --count 10000 --profile mixed --figures 10
    """
    if ctx.invoked_subcommand is not None:
        return
    if faults:
        Chances(parse_shares(faults), seed=seed, repair_s=repair)  # told here, not by a process of the fleet
    if profile is None:
        profile_of(width, mm_s)
    elif profile != MIX:
        named_profile(profile)
    whole = processes_for(count, processes)
    spec = FleetSpec(
        count=count,
        host=host,
        profile=profile or width,
        mm_s=mm_s,
        faults=faults,
        seed=seed,
        repair_s=repair,
        journal=str(journal.absolute()),
        keep=(KEEP if keep is None else keep) if control else 0,
        transport=transport,
        server=check_server(server),
        mqtt=check_mqtt(mqtt_url),
        poll_s=poll,
    )
    fronts_of(spec)  # is everything there that they need?
    room = _bind_control(control) if control else None
    fleet = Whole(spec, ports_file, whole, room, figures)

    def ready() -> None:
        told = f"{count:,} printers listen; addresses in {ports_file}, paper in {journal}"
        facts = {"ports_file": str(ports_file.absolute()), "journal": str(journal.absolute()), "processes": whole}
        if whole > 1:
            told += f"; {whole} processes"
        if profile == MIX:
            told += f"; {told_mix(count)}"
        if room is not None:
            facts["control_url"] = url_of(room)
            told += f"; control room at {url_of(room)}"
        say_ready(announce, told, **facts)

    with console.phases(quiet=quiet or announce) as progress:
        run = fleet.run(on_ready=ready, stop_on_eof=stop_on_eof, progress=progress)
        (uvloop.run if whole == 1 else asyncio.run)(run)


def _bind_control(place: str) -> socket.socket:
    """The control room's socket, on loopback: nobody has to show who they are there. Raises UsageError."""
    host, _, port = place.rpartition(":")
    host = host.strip("[]")
    if host not in ("127.0.0.1", "localhost", "::1") or not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"--control {place}: HOST:PORT on this machine is wanted, e.g. 127.0.0.1:9180")
    return bind("127.0.0.1" if host == "localhost" else host, int(port), option="--control")


@app.command()
def show(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="ESC/POS bytes, a paper journal of `o2o printers`, or the URL of its control room."
        ),
    ],
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="OUT", callback=file_for("--png"), help="A picture of it; a second is OUT-2."),
    ] = None,
    width: Annotated[str, typer.Option("--width", metavar="MM", help="Paper: 80mm or 58mm.")] = "80mm",
    western: Annotated[
        bool, typer.Option("--western", help="As a printer without Chinese characters (code tables only).")
    ] = False,
    printer: Annotated[
        int | None,
        typer.Option(
            "--printer", metavar="ID", help="Of a journal: its last receipt; of a running fleet: its last receipts."
        ),
    ] = None,
) -> None:
    """Receipts as a person sees them: printed here, and as pictures.

    Example: o2o printers show ticket.bin --png ticket.png
    """
    profile = profile_of(width, None)
    if file.startswith("http://"):
        receipts, profile = receipts_at(file, printer)
    else:
        receipts = receipts_of(Path(file), profile, kanji=not western, printer=printer)
    for receipt in receipts:
        typer.echo(as_text(receipt, profile))
    if png is not None:
        for path in write_pictures(receipts, profile, png):
            typer.echo(f"picture in {path}")
