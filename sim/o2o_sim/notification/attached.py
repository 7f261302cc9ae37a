"""Printers attached to the merchants' apps, on the simulated clock (A14, age app_printer).

Decides what an app sees of its printer. The faults of the scenario are those of cloud printers as far as a printer on a
cable can have them (no paper, unplugged, answer lost); a roll is changed and a cable found by the same hands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from simpy import Environment, Event, Store

from o2o_sim.platform_model.records import Receipt
from o2o_sim.port import TicketOnPaper
from o2o_sim.printers.faults import FaultDraws, PrinterFault
from o2o_sim.printers.paper import lines_within, ticket_mm
from o2o_sim.printers.printer import Printer
from o2o_sim.tempo import Tempo


class ModelledPrinters:
    """Implements `o2o_sim.port.AttachedPrinters`; paper is put among `receipts` and shown to the kitchen."""

    def __init__(
        self,
        env: Environment,
        tempo: Tempo,
        printers: Sequence[Printer],
        faults: FaultDraws,
        receipts: list[Receipt],
        merchant_inbox: Callable[[int], Store],
        met: Callable[[int, float], object],
    ) -> None:
        """`met(order_id, repair_s)` is told of each fault that a ticket meets, in run seconds."""
        self._env = env
        self._tempo = tempo
        self._printers = printers
        self._faults = faults
        self._receipts = receipts
        self._inbox = merchant_inbox
        self._on_met = met
        self._tried: set[int] = set()

    def trouble(self, merchant_id: int, order_id: int) -> str | None:
        """What the app shows; the order's own fault begins when its ticket's turn comes."""
        printer, fault = self._printers[merchant_id], self._faults.fault(order_id)
        if order_id not in self._tried:
            self._tried.add(order_id)
            if fault is not None and self._faults.before(order_id):
                repair_s = self._repair_s(order_id)
                self._on_met(order_id, repair_s)
                printer.meet(fault, repair_s)
        trouble = printer.trouble()
        return None if trouble is None else str(trouble)

    def put_out(self, merchant_id: int, order_id: int, job: Any) -> Event:
        """Print the laid-out ticket `job`."""
        printer, answer = self._printers[merchant_id], self._env.event()
        repair_s = self._repair_s(order_id)
        fault = None if self._faults.before(order_id) else self._faults.fault(order_id)
        if fault is not None:
            self._on_met(order_id, repair_s)
        out = partial(self._out, printer, order_id, job, answer)
        after_mm = self._faults.after_mm(order_id)
        printer.put_out(ticket_mm(printer.mechanism, job), repair_s, out, fault=fault, after_mm=after_mm)
        return answer

    def _repair_s(self, order_id: int) -> float:
        return self._tempo.run_s(self._faults.repair_s(order_id))

    def _out(self, printer: Printer, order_id: int, job: Any, answer: Event, printed_mm: float, whole: bool) -> None:
        if printed_mm > 0.0:
            count = len(job) if whole else lines_within(printer.mechanism.profile, job, printed_mm)
            lines = tuple([line.text for line in job[:count]])
            self._receipts.append(Receipt(printer.printer_id, self._env.now, printed_mm, lines))
        if not whole:
            answer.succeed(str(PrinterFault.PAPER_END))
            return
        self._inbox(printer.printer_id).put(TicketOnPaper(order_id))
        if self._faults.fault(order_id) is not PrinterFault.LOST_ACK:
            answer.succeed(None)
