"""What kinds of printers there are, how each is addressed, and what may be expected of it (A14).

Decides the form of a printer's address and the capabilities of each protocol. Leaves the protocols to the platform's
drivers. A merchant's printer is named by a URL whose scheme is the protocol:

    tcp://127.0.0.1:9100         raw TCP: the platform connects
    cloudprnt://001162aabbcc     Star CloudPRNT over HTTP: the printer, known by its MAC, asks for its jobs
    cloudprnt-mqtt://001162aabbcc  Star CloudPRNT over MQTT: jobs go out over a broker
    epson://shop-17              Epson Server Direct Print: the printer, known by its ID, asks for its jobs
    feie://316500010             a vendor's cloud, by the printer's serial number; the result comes by callback
    yilianyun://4004512345       the same, another vendor
    app://counter                the merchant's app fetches tickets and prints them on a printer attached to it
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from o2o_domain.refusal import Refused

MAX_ADDRESS = 255


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a protocol can do."""

    push: bool
    """The platform sends; else the device comes and asks."""
    acknowledges_paper: bool
    """Its answer says that paper is out, not only that the job was taken."""
    idempotent: bool
    """The same job, delivered twice, is printed once."""
    status_push: bool
    """It tells of paper, cover and power without being asked."""


KINDS: Mapping[str, Capabilities] = MappingProxyType(
    {
        "tcp": Capabilities(push=True, acknowledges_paper=True, idempotent=False, status_push=True),
        "cloudprnt": Capabilities(push=False, acknowledges_paper=True, idempotent=False, status_push=True),
        "cloudprnt-mqtt": Capabilities(push=True, acknowledges_paper=True, idempotent=True, status_push=True),
        "epson": Capabilities(push=False, acknowledges_paper=True, idempotent=False, status_push=True),
        "feie": Capabilities(push=True, acknowledges_paper=False, idempotent=False, status_push=False),
        "yilianyun": Capabilities(push=True, acknowledges_paper=False, idempotent=True, status_push=True),
        "app": Capabilities(push=False, acknowledges_paper=True, idempotent=False, status_push=False),
    }
)
"""By the scheme of the address."""

_MAC = re.compile(r"[0-9a-f]{12}\Z")
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}\Z")
_TCP = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:.]+\]|[^/:\s@?#]+):(?P<port>[0-9]{1,5})\Z")


@dataclass(frozen=True, slots=True)
class PrinterAddress:
    """A printer's address in parts. `name` is the MAC, ID or serial number; empty for raw TCP."""

    scheme: str
    name: str = ""
    host: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        """The address as it is kept."""
        return f"{self.scheme}://{self.name}" if self.name else tcp_url(self.host, self.port)

    @property
    def capabilities(self) -> Capabilities:
        """Of its protocol."""
        return KINDS[self.scheme]


def tcp_url(host: str, port: int) -> str:
    """The address of a raw TCP printer; an IPv6 host gets its brackets."""
    return f"tcp://[{host}]:{port}" if ":" in host and host[:1] != "[" else f"tcp://{host}:{port}"


def printer_address(url: str) -> PrinterAddress | Refused:
    """The parts of an address, or Refused("bad_printer_url"). A MAC may come with separators and in capitals."""
    scheme, _, name = url.partition("://")
    if len(url) > MAX_ADDRESS or scheme not in KINDS:
        return Refused("bad_printer_url", f"{url[:80]!r}: the scheme must be one of {', '.join(KINDS)}")
    if scheme == "tcp":
        found = _TCP.match(url)
        if found is None or not 1 <= int(found["port"]) <= 65535:
            return Refused("bad_printer_url", f"{url[:80]!r} is not tcp://host:port")
        return PrinterAddress(scheme, host=found["host"].strip("[]"), port=int(found["port"]))
    if scheme.startswith("cloudprnt"):
        name = name.replace(":", "").replace("-", "").lower()
        if not _MAC.match(name):
            return Refused("bad_printer_url", f"{url[:80]!r}: {scheme}:// wants a MAC of 12 hexadecimal digits")
    elif not _NAME.match(name):
        return Refused("bad_printer_url", f"{url[:80]!r}: {scheme}:// wants a name of letters, digits, '_', '.', '-'")
    return PrinterAddress(scheme, name)
