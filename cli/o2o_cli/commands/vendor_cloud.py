"""`o2o vendor-cloud`: a stand-in for the clouds of Feie and Yilianyun, with virtual printers behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
import uvloop

from o2o_cli.commands.printers import FaultsOption, SpeedOption
from o2o_cli.errors import UsageError
from o2o_cli.fleet.spec import profile_of
from o2o_cli.jobs import roles
from o2o_cli.jobs.platform import read_settings
from o2o_cli.jobs.serving import Site, bind, inherited, serve, url_of
from o2o_cli.options import file_for
from o2o_cli.up.options import (
    AnnounceOption,
    DescriptorOption,
    HostOption,
    SettingsOption,
    StopOnEofOption,
    say_ready,
)
from o2o_devices.chances import Chances, parse_shares
from o2o_devices.cloud.vendor import Account, VendorCloud
from o2o_devices.cloud.vendor_api import create_vendor_cloud
from o2o_devices.cloud.vendor_book import Book
from o2o_devices.cloud.vendor_fleet import Brands, address_of, vendor_fleet
from o2o_devices.cloud.vendor_plan import parse_plan
from o2o_devices.paper import PaperJournal
from o2o_platform.settings import Settings

BRANDS = ("feie", "yilianyun", "both")


def vendor_cloud(
    host: HostOption = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8002,
    count: Annotated[int, typer.Option("--count", min=1, max=20_000, help="Printers, numbered from 0.")] = 10,
    brand: Annotated[
        str, typer.Option("--brand", help="feie, yilianyun, or both: printers with an even number are Feie's.")
    ] = "both",
    platform_url: Annotated[
        str | None,
        typer.Option(
            "--platform-url", metavar="URL", help="Where Yilianyun pushes go (default: the settings' public_url)."
        ),
    ] = None,
    jobs: Annotated[
        Path,
        typer.Option(
            "--jobs",
            metavar="FILE",
            callback=file_for("--jobs"),
            help="The cloud's book; read again at the next start.",
        ),
    ] = Path("vendor-jobs.jsonl"),
    paper: Annotated[
        Path,
        typer.Option("--paper", metavar="FILE", callback=file_for("--paper"), help="Printed paper, a line a receipt."),
    ] = Path("paper.jsonl"),
    width: Annotated[str, typer.Option("--width", metavar="MM", help="Paper: 80mm or 58mm.")] = "80mm",
    mm_s: SpeedOption = None,
    faults: FaultsOption = None,
    cloud_faults: Annotated[
        str,
        typer.Option(
            "--cloud-faults",
            metavar="FAULT=SHARE,...",
            help="Shares of jobs, of lost, doubled, late, unanswered; seconds of late_s, hang_s, lag_s, push_pause_s.",
        ),
    ] = "",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the faults.")] = 0,
    repair: Annotated[
        float, typer.Option("--repair", min=0.0, metavar="S", help="Somebody repairs a printer after this time.")
    ] = 20.0,
    settings: SettingsOption = None,
    announce: AnnounceOption = False,
    stop_on_eof: StopOnEofOption = False,
    fd: DescriptorOption = None,
) -> None:
    """Run a stand-in for the clouds of Feie and Yilianyun: takes signed requests, prints, tells the platform.

    Printer N is feie://96000000N or yilianyun://400400000N. The accounts are those of the platform: O2O_FEIE_USER,
    O2O_FEIE_UKEY, O2O_YILIANYUN_CLIENT_ID, O2O_YILIANYUN_CLIENT_SECRET and O2O_YILIANYUN_ACCESS_TOKEN, or the settings
    file. The platform's O2O_FEIE_URL is then http://127.0.0.1:8002/Api/Open/, its O2O_YILIANYUN_URL the same without a
    path. A job that was taken is not lost when this process is killed; GET /plan tells what became of the jobs.

    Example: o2o vendor-cloud --count 50 --cloud-faults lost=0.1,doubled=0.1
    """
    if brand not in BRANDS:
        raise UsageError(f"--brand {brand}: one of {', '.join(BRANDS)} is wanted")
    chosen = read_settings(settings) if settings else Settings.from_env()
    told = platform_url or chosen.public_url
    account = Account(
        chosen.feie_user,
        chosen.feie_ukey,
        chosen.yilianyun_client_id,
        chosen.yilianyun_client_secret,
        chosen.yilianyun_access_token,
        f"{told.rstrip('/')}/printing/yilianyun",
    )
    if not (account.feie_ukey or account.client_secret):
        raise UsageError(
            "the cloud has no account: set O2O_FEIE_UKEY or O2O_YILIANYUN_CLIENT_SECRET, or use --settings"
        )
    plan = parse_plan(cloud_faults, seed)
    chances = Chances(parse_shares(faults), seed=seed, repair_s=repair) if faults else None
    profile = profile_of(width, mm_s)
    listener = bind(host, port) if fd is None else inherited(fd)
    url = url_of(listener)
    printed = PaperJournal(paper)
    cloud = VendorCloud(account, Book(jobs), plan)
    brands = cast(Brands, brand)
    fleet = vendor_fleet(cloud, count, brands, on_paper=printed.note, profile=profile, plan=chances)
    log_config = roles.start_logs(chosen, "vendor-cloud")

    def ready() -> None:
        addresses = [address_of(number, brands) for number in range(count)]
        facts = {"vendor_url": url, "feie_url": f"{url}/Api/Open/", "addresses": addresses[:100]}
        told = f"the vendors' cloud is at {url}; {count:,} printers from {addresses[0]} to {addresses[-1]}"
        say_ready(announce, told, **facts)

    sites = [Site(create_vendor_cloud(cloud, fleet), listener)]
    try:
        uvloop.run(serve(sites, on_ready=ready, stop_on_eof=stop_on_eof, log_config=log_config))
    finally:
        printed.close()
