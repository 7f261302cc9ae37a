"""The merchants' printers of a live run: a fleet of virtual devices, and the scenario's faults played on them.

Decides which printer meets which fault when. The draws are those of the model, one per order. What shows before a
ticket is sent (the link is down, the roll is at its end) begins when the order is paid, so that its ticket, or the one
on its heels, finds it; all else is planned in the printer: the n-th ticket of a merchant meets what his n-th order has
drawn. Repairs take city time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from o2o_devices.faults import Met, TicketFault
from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.receipt import Receipt
from o2o_domain.ticket_layout import parse
from o2o_loadtest.attached import APP, beside_an_app
from o2o_results.audit.printers import LIED
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.model import City
from o2o_sim.printers.faults import FaultDraws, PrinterFault
from o2o_sim.printers.printer import profile_of
from o2o_sim.tempo import Tempo


class TicketFaults:
    """What each order's ticket is to meet; `plan` is the fleet's."""

    def __init__(self, scenario: Scenario, trace: Trace) -> None:
        self.draws = FaultDraws(scenario.printing.faults, scenario.seed, len(trace))
        self._tempo = Tempo(scenario.clock.speed)
        self._orders: dict[int, list[int]] = {}
        """Takeout orders of each merchant, in the order of their coming."""
        table = trace.table
        columns = (table.column(name).to_pylist() for name in ("intended_s", "intent_id", "merchant_id", "kind"))
        for _, order_id, merchant_id, kind in sorted(zip(*columns, strict=True)):
            if kind == "order":
                self._orders.setdefault(merchant_id, []).append(order_id)

    def repair_s(self, order_id: int) -> float:
        """Run seconds until the order's fault is repaired."""
        return self._tempo.run_s(self.draws.repair_s(order_id))

    def plan(self, printer_id: int, ticket: int) -> TicketFault | None:
        """The fault in which the printer's n-th ticket is caught."""
        orders: Sequence[int] = self._orders.get(printer_id, ())
        if ticket >= len(orders):
            return None
        order_id = orders[ticket]
        kind = self.draws.fault(order_id)
        if kind is None or self.draws.before(order_id):
            return None
        return TicketFault(kind.value, self.draws.after_mm(order_id), self.repair_s(order_id))


class Confessions:
    """What the printers say of the faults that they met; `lied` is called with each ticket that nobody can read."""

    def __init__(self, lied: Callable[[int, str, int], None]) -> None:
        self._lied = lied
        self._mets: list[tuple[int, Met]] = []
        self._acts: list[tuple[int, float, str, float]] = []

    def met(self, printer_id: int, met: Met) -> None:
        """A printer's own word, at a time of the fleet's loop (as a fleet's `on_met`)."""
        self._mets.append((printer_id, met))
        if met.kind in LIED and met.receipt is not None:
            ticket = parse(met.receipt.text_lines)
            if ticket.order_no:
                self._lied(printer_id, ticket.order_no, ticket.copy_no or 1)

    def act(self, printer_id: int, kind: str, repair_s: float) -> None:
        """Something was done to a printer now, whether it was printing or not."""
        self._acts.append((printer_id, asyncio.get_running_loop().time(), kind, repair_s))

    def rows(self, run_s: Callable[[float], float]) -> list[dict[str, Any]]:
        """Rows of the run table `printer_faults`; `run_s` turns the loop's time into run seconds."""
        rows = [
            {
                **dict.fromkeys(("order_no", "copy_no", "answered")),
                "printer_id": number,
                "at": run_s(at),
                "kind": kind,
                "until": run_s(at + repair_s),
            }
            for number, at, kind, repair_s in self._acts
        ]
        rows += [confession(number, met, run_s) for number, met in self._mets]
        return sorted(rows, key=lambda row: row["at"])


def confession(printer_id: int, met: Met, time_of: Callable[[float], float]) -> dict[str, Any]:
    """A row of the run table `printer_faults`; `time_of` turns the fleet's loop's time into the table's."""
    ticket = parse(met.receipt.text_lines if met.receipt is not None else ())
    return {
        "printer_id": printer_id,
        "at": time_of(met.at),
        "kind": met.kind,
        "order_no": ticket.order_no,
        "copy_no": ticket.copy_no,
        "until": time_of(met.until) if isfinite(met.until) else None,
        "answered": None if met.answered_at is None else time_of(met.answered_at),
    }


def fleet_of(
    scenario: Scenario,
    city: City,
    *,
    on_paper: Callable[[int, Receipt, float], None],
    faults: TicketFaults,
    confessions: Confessions,
) -> Fleet:
    """One printer a merchant, cloud printers on TCP or printers beside apps; printer_id is the merchant's id."""
    profile = profile_of(scenario.printing)
    if scenario.printing.age == "app_printer":
        specs = [
            PrinterSpec(number, profile, front=beside_an_app, address=f"{APP}m{number}")
            for number in (merchant.merchant_id for merchant in city.merchants)
        ]
    else:
        specs = [PrinterSpec(merchant.merchant_id, profile) for merchant in city.merchants]
    return Fleet(
        specs,
        on_paper=on_paper,
        plan=faults.plan,
        on_met=confessions.met,
    )


class FaultPlayer:
    """Breaks and repairs printers before tickets are sent, as the orders' draws say. Call `paid` once an order."""

    def __init__(self, faults: TicketFaults, fleet: Fleet, confessions: Confessions) -> None:
        self._faults = faults
        self._fleet = fleet
        self._confessions = confessions

    def paid(self, order_id: int, merchant_id: int) -> None:
        """The order's ticket is about to be sent."""
        draws = self._faults.draws
        if not draws.before(order_id):
            return
        control, loop = self._fleet.control(merchant_id), asyncio.get_running_loop()
        repair_s = self._faults.repair_s(order_id)
        if draws.fault(order_id) is PrinterFault.PAPER_END:
            self._confessions.act(merchant_id, "paper_end", repair_s)
            control.paper_end()
            loop.call_later(repair_s, control.refill)
        else:
            self._confessions.act(merchant_id, "offline", repair_s)
            control.offline()
            loop.call_later(repair_s, control.online)
