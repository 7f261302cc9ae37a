"""What a printer, or a fleet, has done: plain counts for tables, checks and a control room."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Counters:
    connections: int = 0
    bytes_in: int = 0
    bytes_dropped: int = 0
    """Received while silent, or by a full buffer that drops."""
    receipts: int = 0
    """Pieces of paper that came out, whole or torn."""
    torn: int = 0
    """Of those, the ones that stopped before their cut, for a fault or because the sender left."""
    acks: int = 0
    acks_lost: int = 0
    unknown: int = 0
    """Unknown commands."""
    faults: int = 0
    """Times that printing stopped, or the link went down."""
    stalls: int = 0
    """Times that the sender had to wait because the buffer was full."""
    met: dict[str, int] | None = None
    """Planned faults that tickets met, by kind; None: none."""

    def meet(self, kind: str) -> None:
        """A ticket meets a planned fault."""
        self.met = self.met or {}
        self.met[kind] = self.met.get(kind, 0) + 1

    def add(self, other: Counters) -> None:
        for name in _NUMBERS:
            value = getattr(other, name)
            if value:  # most printers of a large fleet have nothing to add
                setattr(self, name, getattr(self, name) + value)
        for kind, times in (other.met or {}).items():
            self.met = self.met or {}
            self.met[kind] = self.met.get(kind, 0) + times


_NUMBERS = tuple(field.name for field in fields(Counters) if field.name != "met")
