"""How a campaign's printers are reached: an address, a front end, and what must run beside the platform.

Decides, for each transport, what a merchant's printer is called, which front end the virtual printer gets, and how
impatient both are: a campaign waits seconds where a shop waits minutes. What the protocols say is the platform's
(`o2o_platform.printing`) and the devices' (`o2o_devices.cloud`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from o2o_cli.chaos.printer_apps import apps
from o2o_cli.errors import UsageError
from o2o_cli.jobs.serving import Site, bind, served, url_of
from o2o_cli.up.mqtt_broker import find_mosquitto, write_config
from o2o_cli.up.ports import free_ports
from o2o_devices.cloud.attached import Attached
from o2o_devices.cloud.cloudprnt import CloudPrntPrinter
from o2o_devices.cloud.epson import EpsonPrinter
from o2o_devices.cloud.machine import Machine
from o2o_devices.cloud.mqtt import MqttPrinter
from o2o_devices.cloud.mqtt_line import Account as BrokerAccount
from o2o_devices.cloud.vendor import Account, VendorCloud
from o2o_devices.cloud.vendor_api import create_vendor_cloud
from o2o_devices.cloud.vendor_book import Book, Brand
from o2o_devices.cloud.vendor_fleet import serial_of
from o2o_devices.cloud.vendor_plan import Plan
from o2o_devices.fleet import Fleet, FrontFactory
from o2o_devices.printer import VirtualPrinter
from o2o_loadtest.peak.world import World
from o2o_loadtest.setup import AdminClient

COLS = 48
POLL_S = 0.5
"""Printers that come by themselves come so often."""
LATE_S = 8.0
"""An answer that was lost on the way is told so long after: the platform has given it up by then."""
BROKER_S = 10.0
PUSH_PAUSE_S = 1.0


@dataclass
class Place:
    """What a transport has brought along."""

    settings: dict[str, Any] = field(default_factory=dict)
    """For the platform."""
    platform_url: str = ""
    """Known once the platform runs."""
    more: Any = None
    """A broker's account, a vendor's cloud."""


@asynccontextmanager
async def _nothing(folder: Path) -> AsyncIterator[Place]:
    yield Place(settings={"printer_poll_s": POLL_S})


@dataclass(frozen=True)
class Transport:
    """One way to a printer. `address`: where the platform finds the printer of this number."""

    name: str
    address: Callable[[Fleet, int], str]
    front: Callable[[Place], FrontFactory] | None = None
    around: Callable[[Path], AbstractAsyncContextManager[Place]] = _nothing
    beside: Callable[[AdminClient, Fleet, World], AbstractAsyncContextManager[None]] | None = None
    """Whoever brings tickets to the printers, once there are merchants."""

    def printer(self, fleet: Fleet, number: int) -> Mapping[str, Any]:
        """The body of a merchant's printer, as the platform takes it."""
        return {"url": self.address(fleet, number), "width_cols": COLS}


def _tcp_address(fleet: Fleet, number: int) -> str:
    host, port = fleet.address(number)
    return f"tcp://{host}:{port}"


# --- printers that come by themselves ------------------------------------------------------------------------------


def mac_of(number: int) -> str:
    """A Star printer's address in its network; Star's block."""
    return f"001162{number:06x}"


def _cloudprnt(place: Place) -> FrontFactory:
    def front(number: int, printer: VirtualPrinter) -> CloudPrntPrinter:
        url = f"{place.platform_url}/cloudprnt"
        return CloudPrntPrinter(Machine(printer), mac_of(number), url, interval_s=POLL_S, late_result_s=LATE_S)

    return front


def _epson_name(number: int) -> str:
    return f"shop-{number}"


def _epson(place: Place) -> FrontFactory:
    def front(number: int, printer: VirtualPrinter) -> EpsonPrinter:
        url = f"{place.platform_url}/epson"
        name, status_s = _epson_name(number), 2 * POLL_S
        machine = Machine(printer)
        return EpsonPrinter(machine, name, url, interval_s=POLL_S, status_interval_s=status_s, late_result_s=LATE_S)

    return front


# --- a broker ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _broker(folder: Path) -> AsyncIterator[Place]:
    """A mosquitto of the campaign's own. Raises UsageError without one."""
    program = find_mosquitto()
    (port,) = free_ports(1)
    config = folder / "mosquitto.conf"
    write_config(config, port, folder)
    with (folder / "mosquitto.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(program, "-c", str(config), stdout=log, stderr=log)
    try:
        await _listens(port, process)
        yield Place(settings={"mqtt_url": f"mqtt://127.0.0.1:{port}"}, more=BrokerAccount("127.0.0.1", port))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int, process: asyncio.subprocess.Process) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + BROKER_S
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if process.returncode is not None or loop.time() > end:
                raise UsageError("mosquitto does not start; see its log") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def _mqtt(place: Place) -> FrontFactory:
    def front(number: int, printer: VirtualPrinter) -> MqttPrinter:
        return MqttPrinter(Machine(printer), mac_of(number), place.more, late_result_s=LATE_S)

    return front


# --- a vendor's cloud ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def _cloud(brand: Brand, folder: Path) -> AsyncIterator[Place]:
    """A stand-in for the vendor's cloud, in this process, its API on a port. It loses and doubles callbacks too."""
    secret = [secrets.token_hex(8) for _ in range(5)]
    account = Account(*secret)
    plan = Plan(lost=0.03, doubled=0.03, late=0.03, late_s=LATE_S / 2, push_pause_s=PUSH_PAUSE_S, lag_s=(0.5, 3.0))
    cloud = VendorCloud(account, Book(folder / "vendor-jobs.jsonl"), plan)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(bind("127.0.0.1", 0))
        none = Fleet([], on_paper=lambda number, receipt, at: None)  # the campaign's own fleet is behind the cloud
        await stack.enter_async_context(served(Site(create_vendor_cloud(cloud, none), listener), asyncio.Event()))
        names = ("feie_user", "feie_ukey", "yilianyun_client_id", "yilianyun_client_secret", "yilianyun_access_token")
        settings: dict[str, Any] = dict(zip(names, secret, strict=True))
        settings |= {"feie_url": f"{url_of(listener)}/Api/Open/", "yilianyun_url": url_of(listener)}
        yield Place(settings={**settings, "vendor_timeout_s": 2.0, "vendor_poll_s": 3.0}, more=(cloud, brand))


def _vendor(place: Place) -> FrontFactory:
    cloud, brand = place.more
    cloud.account = replace(cloud.account, push_url=f"{place.platform_url}/printing/yilianyun")
    return lambda number, printer: cloud.front(brand, serial_of(number, brand))(number, printer)


# --- apps ----------------------------------------------------------------------------------------------------------


def _attached(place: Place) -> FrontFactory:
    return lambda number, printer: Attached(printer)


_ALL = (
    Transport("tcp9100", _tcp_address),
    Transport("cloudprnt", lambda fleet, number: f"cloudprnt://{mac_of(number)}", _cloudprnt),
    Transport("cloudprnt-mqtt", lambda fleet, number: f"cloudprnt-mqtt://{mac_of(number)}", _mqtt, _broker),
    Transport("epson", lambda fleet, number: f"epson://{_epson_name(number)}", _epson),
    Transport("feie", lambda fleet, number: f"feie://{serial_of(number, 'feie')}", _vendor, partial(_cloud, "feie")),
    Transport(
        "yilianyun",
        lambda fleet, number: f"yilianyun://{serial_of(number, 'yilianyun')}",
        _vendor,
        partial(_cloud, "yilianyun"),
    ),
    Transport(
        "app",
        lambda fleet, number: f"app://shop-{number}",
        _attached,
        beside=partial(apps, poll_s=POLL_S, late_s=LATE_S),
    ),
)
TRANSPORTS: dict[str, Transport] = {one.name: one for one in _ALL}


def transport(name: str) -> Transport:
    """By name. Raises UsageError."""
    try:
        return TRANSPORTS[name]
    except KeyError:
        raise UsageError(f"--transport {name}: there are {', '.join(TRANSPORTS)}") from None
