"""Which front end each printer of a fleet has, by the names of `--transport`.

Decides the names, what each of them needs to know, and how shares of a mixed fleet are dealt out: by number, so that
the same printer has the same transport at the next start.
"""

from __future__ import annotations

from collections.abc import Callable

from o2o_cli.errors import UsageError
from o2o_cli.fleet.spec import FleetSpec
from o2o_devices.fleet import FrontFactory

Make = Callable[[FleetSpec], FrontFactory | None]

TRANSPORTS: dict[str, Make] = {
    "tcp9100": lambda spec: None,
}
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


def fronts_of(spec: FleetSpec) -> Callable[[int], FrontFactory | None]:
    """By a printer's number what makes its front end; None: TCP 9100. Raises UsageError."""
    shares = parse_transports(spec.transport)
    makers = {name: TRANSPORTS[name](spec) for name in shares}
    return lambda number: makers[transport_of(number, shares)]
