"""`o2o printers`: virtual ESC/POS printers on TCP ports, as a process of its own; and what they print, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from o2o_cli.jobs.gateway import Gateway, profile_of
from o2o_cli.jobs.receipts import receipts_of, write_pictures
from o2o_cli.options import file_for
from o2o_cli.up.options import AnnounceOption, HostOption, StopOnEofOption, say_ready
from o2o_devices.chances import Chances, parse_shares
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
    announce: AnnounceOption = False,
    stop_on_eof: StopOnEofOption = False,
) -> None:
    """Run virtual printers, each on a TCP port of its own, that print what they are sent at a printer's pace.

    A receipt is in the journal from the moment it is out, also when this process is killed. At the next start the
    same printers listen at the same ports. Ctrl-C ends it.

    Example: o2o printers --count 50 --faults paper_end=0.01,lost_ack=0.01
    """
    if ctx.invoked_subcommand is not None:
        return
    plan = Chances(parse_shares(faults), seed=seed, repair_s=repair) if faults else None
    gateway = Gateway(count, ports_file, journal, host, profile_of(width, mm_s), plan)

    def ready() -> None:
        told = f"{count:,} printers listen; addresses in {ports_file}, paper in {journal}"
        say_ready(announce, told, ports_file=str(ports_file.absolute()), journal=str(journal.absolute()))

    uvloop.run(gateway.run(on_ready=ready, stop_on_eof=stop_on_eof))


@app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="ESC/POS bytes, or a paper journal of `o2o printers`.")],
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="OUT", callback=file_for("--png"), help="A picture of it; a second is OUT-2."),
    ] = None,
    width: Annotated[str, typer.Option("--width", metavar="MM", help="Paper: 80mm or 58mm.")] = "80mm",
    western: Annotated[
        bool, typer.Option("--western", help="As a printer without Chinese characters (code tables only).")
    ] = False,
    printer: Annotated[
        int | None, typer.Option("--printer", metavar="ID", help="Of a journal: the last receipt of this printer.")
    ] = None,
) -> None:
    """Receipts as a person sees them: printed here, and as pictures.

    Example: o2o printers show ticket.bin --png ticket.png
    """
    profile = profile_of(width, None)
    receipts = receipts_of(file, profile, kanji=not western, printer=printer)
    for receipt in receipts:
        typer.echo(as_text(receipt, profile))
    if png is not None:
        for path in write_pictures(receipts, profile, png):
            typer.echo(f"picture in {path}")
