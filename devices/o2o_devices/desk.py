"""What may be asked and ordered of a running fleet, by name: printers, counters, last receipts, faults (A14).

Decides which orders there are, which figures each takes, and what makes no sense. It speaks plain values, so that a
process of a fleet answers its parent, or an HTTP API, with the same words. Raises FleetError for an unknown printer and
ControlError for an order that cannot be.
"""

from __future__ import annotations

import base64
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import msgspec

from o2o_devices.control import Control
from o2o_devices.errors import ControlError
from o2o_devices.faults import KINDS, Kind
from o2o_devices.fleet import Fleet
from o2o_devices.receipt import Receipt

KEEP = 3
"""Last receipts of each printer."""
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Receipt).decode
_LENGTH_MM = 100_000.0
_REPAIR_S = 86_400.0


class Kept(NamedTuple):
    """A receipt that came out at `at` (unix seconds)."""

    at: float
    packed: bytes


def unpacked(text: str) -> Receipt:
    """The receipt that `Desk.receipts` has packed."""
    return _DECODE(zlib.decompress(base64.b64decode(text)))


class _Figure(NamedTuple):
    """A number that an order takes."""

    name: str
    low: float
    high: float
    default: float | None
    needed: bool = False


class _Order(NamedTuple):
    what: str
    figures: tuple[_Figure, ...]
    act: Callable[..., object]


_MM = _Figure("mm", 0.0, _LENGTH_MM, None)
_AFTER = _Figure("after_mm", 0.0, _LENGTH_MM, None)
_REPAIR = _Figure("repair_s", 0.0, _REPAIR_S, 20.0)

ORDERS: dict[str, _Order] = {
    "paper_end": _Order(
        "the roll ends, now or after so many mm", (_AFTER,), lambda hand, mm: hand.paper_end(0.0 if mm is None else mm)
    ),
    "refill": _Order("a new roll, of so many mm", (_MM,), lambda hand, mm: hand.refill(mm)),
    "open_cover": _Order("printing stops", (), lambda hand: hand.open_cover()),
    "close_cover": _Order("printing goes on", (), lambda hand: hand.close_cover()),
    "power_off": _Order("what is not on paper is lost", (_AFTER,), lambda hand, mm: hand.power_cut(mm)),
    "power_on": _Order("modes as at power-on", (), lambda hand: hand.power_on()),
    "link_down": _Order("connections are reset and refused", (), lambda hand: hand.offline()),
    "link_up": _Order("connections get through", (), lambda hand: hand.online()),
    "slow_link": _Order(
        "the link carries so many bytes a second",
        (_Figure("bytes_s", 1.0, 1e9, None, needed=True),),
        lambda hand, bytes_s: hand.slow_link(bytes_s),
    ),
    "fast_link": _Order("as many as come", (), lambda hand: hand.slow_link(None)),
    "silent": _Order("connected, and answers nothing", (), lambda hand: hand.silent(True)),
    "speak": _Order("answers again", (), lambda hand: hand.silent(False)),
    "pause": _Order("takes jobs and prints none", (), lambda hand: hand.pause()),
    "go_on": _Order("prints what waited", (), lambda hand: hand.go_on()),
    "lose_acks": _Order(
        "the next answers get lost",
        (_Figure("count", 1.0, 1e6, 1.0),),
        lambda hand, count: hand.lose_acks(int(count)),
    ),
}
"""Orders that are carried out at once, by name."""


class Desk:
    """Knows a fleet's printers by number. `keep`: last receipts of each that can be looked at; 0: none are kept."""

    def __init__(self, keep: int = 0) -> None:
        self._fleet: Fleet | None = None
        self._keep = keep
        self._kept: dict[int, deque[Kept]] = {}

    @property
    def fleet(self) -> Fleet:
        """The fleet that it is the desk of, set before anything is asked."""
        assert self._fleet is not None
        return self._fleet

    @fleet.setter
    def fleet(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def note(self, printer_id: int, receipt: Receipt, at: float) -> None:
        """A receipt came out (a fleet's `on_paper`)."""
        if self._keep:
            kept = self._kept.get(printer_id)
            if kept is None:
                kept = self._kept[printer_id] = deque(maxlen=self._keep)
            kept.append(Kept(at, zlib.compress(_ENCODE(receipt), 1)))

    def call(self, name: str, args: Mapping[str, Any]) -> Any:
        """Answer a question by its name."""
        asked: dict[str, Callable[..., Any]] = {
            "printers": self.printers,
            "printer": self.printer,
            "order": self.order,
            "receipts": self.receipts,
        }
        if name not in asked:
            raise ControlError(f"nothing is called {name!r} (one of {', '.join(asked)})")
        return asked[name](**args)

    def printers(self, first: int, count: int) -> list[dict[str, Any]]:
        """Printers from number `first` on, `count` numbers at most, in short."""
        numbers = range(first, first + count)
        return [self._brief(number) for number in numbers if number in self.fleet]

    def _brief(self, number: int) -> dict[str, Any]:
        printer = self.fleet.printer(number)
        done = printer.counters
        return {
            "printer": number,
            "model": printer.profile.name,
            "at": self.fleet.where(number),
            "ready": not self._troubles(number),
            "troubles": self._troubles(number),
            "receipts": done.receipts,
            "faults": done.faults,
        }

    def _troubles(self, number: int) -> list[str]:
        """What keeps a printer from printing or answering now."""
        printer, now = self.fleet.printer(number), self.fleet.now()
        state = printer.status(now)
        seen = {
            "power_off": not printer.mechanism.powered,
            "link_down": not printer.link_up,
            "silent": printer.silent,
            "cover_open": state.cover_open,
            "paper_end": state.paper_end,
            "paused": not state.online,
            "overheated": state.overheated,
            "slow_link": printer.link_bytes_s is not None,
        }
        return [name for name, so in seen.items() if so]

    def printer(self, printer: int) -> dict[str, Any]:
        """One printer with all that is counted."""
        found, now = self.fleet.printer(printer), self.fleet.now()
        return {
            **self._brief(printer),
            "paper_left_mm": round(found.mechanism.paper_left_mm(now), 1),
            "near_end": found.mechanism.near_end(now),
            "idle": found.idle,
            "connections_open": self.fleet.connections(printer),
            "counters": asdict(found.counters),
            "receipts_kept": len(self._kept.get(printer, ())),
        }

    def receipts(self, printer: int) -> list[dict[str, Any]]:
        """The last receipts of a printer, oldest first; packed, see `unpacked`."""
        self.fleet.printer(printer)
        kept = self._kept.get(printer, ())
        return [{"at": one.at, "packed": base64.b64encode(one.packed).decode()} for one in kept]

    def order(self, printer: int, what: str, when: str, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Have something happen to a printer.

        what: an order (ORDERS), which is carried out now, or a kind of fault, for when = "now" or "next" (ticket) with
        after_mm (of the next ticket) and repair_s (until somebody mends it). A name that is both is a fault if it is
        for the next ticket or has a repair_s.
        """
        hand = self.fleet.control(printer)
        if what in ORDERS and when == "now" and "repair_s" not in figures:
            order = ORDERS[what]
            order.act(hand, *_checked(what, order.figures, figures).values())
        elif what in KINDS:
            self._fault(hand, what, when, figures)
        elif what in ORDERS:
            raise ControlError(f"{what} is carried out now; faults of a next ticket: {', '.join(KINDS)}")
        else:
            raise ControlError(
                f"no such order or fault: {what!r} (one of {', '.join(dict.fromkeys((*ORDERS, *KINDS)))})"
            )
        return self.printer(printer)

    @staticmethod
    def _fault(hand: Control, kind: Kind, when: str, figures: Mapping[str, Any]) -> None:
        if when == "next":
            given = _checked(kind, (_AFTER._replace(default=0.0), _REPAIR), figures)
            hand.meet(kind, **given)
        else:
            hand.break_now(kind, **_checked(kind, (_REPAIR,), figures))


def _checked(what: str, wanted: tuple[_Figure, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an order, each within its bounds. Raises ControlError."""
    for name in given:
        if name not in (figure.name for figure in wanted):
            takes = ", ".join(figure.name for figure in wanted) or "no figures"
            raise ControlError(f"{what} does not take {name} (it takes {takes})")
    found: dict[str, Any] = {}
    for figure in wanted:
        value = given.get(figure.name)
        if value is None:
            if figure.needed:
                raise ControlError(f"{what} needs {figure.name}")
            found[figure.name] = figure.default
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not figure.low <= value <= figure.high:
            raise ControlError(f"{what}: {figure.name} must be a number from {figure.low:g} to {figure.high:g}")
        found[figure.name] = float(value)
    return found
