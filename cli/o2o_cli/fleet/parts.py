"""A fleet's parts behind one face: which process has which printer, and questions to all of them.

Decides where a question goes. A part is whatever answers `call(name, args)`: a fleet in this process, or a wire to one
in another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from o2o_cli.fleet.figures import PartFigures
from o2o_cli.fleet.spec import FleetSpec
from o2o_cli.fleet.wire import Call
from o2o_devices.errors import FleetError


class Parts:
    """The parts of `spec`, each with the printers that it has."""

    def __init__(self, spec: FleetSpec, parts: Sequence[tuple[FleetSpec, Call]]) -> None:
        self.spec = spec
        self._parts = list(parts)

    def __len__(self) -> int:
        return len(self._parts)

    async def of(self, number: int, name: str, **args: Any) -> Any:
        """Ask about one printer. FleetError for an unknown one."""
        for spec, call in self._parts:
            if number in spec.numbers:
                return await call(name, {"printer": number, **args})
        raise FleetError(f"no printer {number} in this fleet of {self.spec.count:,}")

    async def printers(self, first: int, count: int) -> list[dict[str, Any]]:
        """Printers from number `first` on, in short."""
        wanted = range(first, first + count)
        asked = [
            call("printers", {"first": begin, "count": end - begin})
            for spec, call in self._parts
            if (begin := max(first, spec.numbers.start)) < (end := min(wanted.stop, spec.numbers.stop))
        ]
        return [row for found in await asyncio.gather(*asked) for row in found]

    async def figures(self) -> list[PartFigures]:
        """Of every process, now."""
        asked = await asyncio.gather(*(call("figures", {}) for _, call in self._parts))
        return [msgspec.convert(found, PartFigures) for found in asked]

    async def where(self) -> list[str]:
        """Every printer's address as a URL, by number."""
        asked = await asyncio.gather(*(call("where", {}) for _, call in self._parts))
        return [url for found in asked for url in found]
