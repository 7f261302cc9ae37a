"""How a campaign's printers are reached: an address, a front end, and what must run beside the platform.

Decides, for each transport, what a merchant's printer is called and which front end the virtual printer gets. What the
protocols say is the platform's (`o2o_platform.printing`) and the devices' (`o2o_devices.cloud`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from o2o_cli.errors import UsageError
from o2o_devices.fleet import Fleet, FrontFactory


@dataclass
class Place:
    """What a transport has brought along."""

    settings: dict[str, Any] = field(default_factory=dict)
    """For the platform."""
    platform_url: str = ""
    """Known once the platform runs."""
    more: dict[str, Any] = field(default_factory=dict)
    """A broker's port, a cloud's address."""


@asynccontextmanager
async def _nothing(folder: Path) -> AsyncIterator[Place]:
    yield Place()


@dataclass(frozen=True)
class Transport:
    """One way to a printer. `printer` is the body of a merchant's printer as the platform takes it."""

    name: str
    printer: Callable[[Place, Fleet, int], Mapping[str, Any]]
    front: Callable[[Place], FrontFactory] | None = None
    around: Callable[[Path], AbstractAsyncContextManager[Place]] = _nothing


def _tcp(place: Place, fleet: Fleet, number: int) -> Mapping[str, Any]:
    host, port = fleet.address(number)
    return {"url": f"tcp://{host}:{port}", "width_cols": 48}


TRANSPORTS: dict[str, Transport] = {one.name: one for one in (Transport("tcp9100", _tcp),)}


def transport(name: str) -> Transport:
    """By name. Raises UsageError."""
    try:
        return TRANSPORTS[name]
    except KeyError:
        raise UsageError(f"--transport {name}: there are {', '.join(TRANSPORTS)}") from None
