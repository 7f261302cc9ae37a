"""Which front end each printer of a fleet has, by the names of `--transport`.

Decides the names, what each of them needs to know, and how shares of a mixed fleet are dealt out: by number, so that
the same printer has the same transport at the next start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from o2o_cli.errors import UsageError
from o2o_cli.fleet.spec import FleetSpec
from o2o_devices.fleet import FrontFactory
from o2o_devices.printer import VirtualPrinter

TCP = "tcp9100"
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


def mac_of(number: int) -> str:
    """A Star printer's address in its network, in Star's block of numbers."""
    return f"001162{number:06x}"


def name_of(number: int) -> str:
    """An Epson printer's ID."""
    return f"shop-{number}"


def _server(spec: FleetSpec, path: str) -> str:
    if spec.server is None:
        raise UsageError("--server URL: which platform do printers fetch their jobs from?")
    return spec.server.rstrip("/") + path


def _cloudprnt(spec: FleetSpec) -> FrontFactory:
    from o2o_devices.cloud.cloudprnt import CloudPrntPrinter
    from o2o_devices.cloud.machine import Machine

    url = _server(spec, "/cloudprnt")

    def front(number: int, printer: VirtualPrinter) -> CloudPrntPrinter:
        return CloudPrntPrinter(Machine(printer), mac_of(number), url, interval_s=spec.poll_s)

    return front


def _mqtt(spec: FleetSpec) -> FrontFactory:
    from o2o_devices.cloud.machine import Machine
    from o2o_devices.cloud.mqtt import MqttPrinter
    from o2o_devices.cloud.mqtt_line import Account

    server: str | Account
    if spec.mqtt is None:  # the server says where its broker is
        server = _server(spec, "/cloudprnt")
    else:
        place = urlsplit(spec.mqtt)
        user, password = (None if part is None else unquote(part) for part in (place.username, place.password))
        port = place.port or _MQTT_PORTS[place.scheme]
        server = Account(place.hostname or "", port, user, password, tls=place.scheme == "mqtts")

    def front(number: int, printer: VirtualPrinter) -> MqttPrinter:
        return MqttPrinter(Machine(printer), mac_of(number), server)

    return front


def _epson(spec: FleetSpec) -> FrontFactory:
    from o2o_devices.cloud.epson import EpsonPrinter
    from o2o_devices.cloud.machine import Machine

    url, every = _server(spec, "/epson"), spec.poll_s

    def front(number: int, printer: VirtualPrinter) -> EpsonPrinter:
        first_s = every * (number * 0.618034 % 1.0)  # thousands do not poll in step
        return EpsonPrinter(Machine(printer), name_of(number), url, interval_s=every, first_s=first_s)

    return front


class _Transport(NamedTuple):
    make: Callable[[FleetSpec], FrontFactory | None]
    address: Callable[[int], str]
    """What the platform calls the printer of this number; "" for one that listens."""


TRANSPORTS: dict[str, _Transport] = {
    TCP: _Transport(lambda spec: None, lambda number: ""),
    "cloudprnt": _Transport(_cloudprnt, lambda number: f"cloudprnt://{mac_of(number)}"),
    "cloudprnt-mqtt": _Transport(_mqtt, lambda number: f"cloudprnt-mqtt://{mac_of(number)}"),
    "epson": _Transport(_epson, lambda number: f"epson://{name_of(number)}"),
}


def check_mqtt(url: str | None) -> str | None:
    """A broker's URL. Raises UsageError for what is none."""
    if url is None:
        return None
    try:
        place = urlsplit(url)
        sound = place.scheme in _MQTT_PORTS and bool(place.hostname) and place.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(f"--mqtt-url {url}: mqtt://host:port is wanted")
    return url


def check_server(url: str | None) -> str | None:
    """A platform's URL. Raises UsageError for what is none."""
    if url is not None and not url.startswith(("http://", "https://")):
        raise UsageError(f"--server {url}: an http:// address is wanted")
    return url


_STEPS = 1000
"""Shares are counted in thousandths."""


def parse_transports(text: str) -> dict[str, float]:
    """ "tcp9100", or shares that sum to 1: "tcp9100=0.5,cloudprnt=0.5". Raises UsageError."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (word.strip() for word in part.partition("="))
        if name not in TRANSPORTS:
            raise UsageError(f"--transport: {name!r} is none (one of {', '.join(TRANSPORTS)})")
        if name in shares:
            raise UsageError(f"--transport: {name} is named twice")
        try:
            shares[name] = float(share) if share else 1.0
        except ValueError:
            raise UsageError(f"--transport {part}: write NAME, or NAME=SHARE,...") from None
    if any(not 0.0 < share <= 1.0 for share in shares.values()) or abs(sum(shares.values()) - 1.0) > 1e-9:
        raise UsageError(f"--transport {text}: shares above 0 that sum to 1 are wanted")
    return shares


def transport_of(number: int, shares: dict[str, float]) -> str:
    """The transport of a printer: any run of numbers has nearly the shares, any thousand has them exactly."""
    place = number * 619 % _STEPS  # 619 and 1000 have no common factor: each thousand visits every place once
    for name, share in shares.items():
        place -= round(share * _STEPS)
        if place < 0:
            return name
    return next(reversed(shares))


class Dealt(NamedTuple):
    """What a printer of a fleet has in front of it."""

    front: FrontFactory | None
    address: str


def fronts_of(spec: FleetSpec) -> Callable[[int], Dealt]:
    """By a printer's number what makes its front end; None: TCP 9100. Raises UsageError."""
    shares = parse_transports(spec.transport)
    makers = {name: TRANSPORTS[name].make(spec) for name in shares}

    def deal(number: int) -> Dealt:
        name = transport_of(number, shares)
        return Dealt(makers[name], TRANSPORTS[name].address(number))

    return deal
