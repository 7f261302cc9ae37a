"""Print desk: from a committed order to its ticket on paper, or to a visible failure (A14).

Decides when a ticket is published, claimed, rendered and sent: the outbox relay and the dispatchers are stations, each
printer has a lane of its own (one dead printer delays nobody else), and a lane sends one ticket at a time and keeps its
order. What a failure or a deadline means (retry, unconfirmed, give up, escalation) is the domain's print policy; what
happens on the paper is the printer's. A ticket that was sent and not answered is never sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any

from simpy import Event, Store

from o2o_domain import tickets
from o2o_domain.orders import OrderState
from o2o_domain.refusal import Refused
from o2o_domain.ticket_layout import TicketOrder, layout
from o2o_domain.ticket_names import mask_address, mask_phone
from o2o_domain.tickets import Escalation, GiveUp, PrintOutcome, PrintPolicy, Retry, TicketEvent, TicketState
from o2o_sim.platform_model.catalogue import Catalogue
from o2o_sim.platform_model.deadlines import Deadlines
from o2o_sim.platform_model.desk import Desk
from o2o_sim.platform_model.records import MetFault, Order, Receipt, Ticket
from o2o_sim.port import AppNotice, TicketOnPaper
from o2o_sim.printers.faults import FaultDraws, PrinterFault
from o2o_sim.printers.paper import lines_within, spoiled, ticket_bytes, ticket_mm
from o2o_sim.printers.printer import Printer, profile_of
from o2o_sim.servers import Servers

WIDTH_COLS = {"58mm": 32, "80mm": 48}
OUTCOMES = {
    PrinterFault.PAPER_END: PrintOutcome.PAPER_END,
    PrinterFault.OFFLINE: PrintOutcome.REFUSED,
    PrinterFault.COVER_OPEN: PrintOutcome.COVER_OPEN,
    PrinterFault.HALF_OPEN: PrintOutcome.BROKEN_BEFORE_SEND,
}
"""What an attempt ends with when the printer was in trouble before anything was sent."""
BREAKS = (PrinterFault.POWER_BEFORE, PrinterFault.POWER_OFF, PrinterFault.POWER_AFTER, PrinterFault.FLAPPING)
"""The connection is reset: the platform knows at once that there will be no answer."""
WAITS = (PrinterFault.COVER_OPEN, PrinterFault.BACKLOG)
"""The rest of the ticket is out when somebody has come."""
SPOILED = (PrinterFault.WRONG_CODEPAGE, PrinterFault.NO_PRINT, PrinterFault.OVERRUN)
"""The paper says something else, or nothing; the printer answers that all is well."""
NO_REPAIR = (PrinterFault.LOST_ACK, PrinterFault.DUPLICATE, *SPOILED)


@dataclass(slots=True)
class _Lane:
    printer: Printer
    waiting: deque[Ticket] = field(default_factory=deque)
    idle: bool = True
    claimed_at: float = inf
    """When a dispatcher claims, or has claimed, the first ticket; inf: not booked."""


class PrintDesk:
    """Outbox relay, dispatchers and printers."""

    def __init__(
        self, desk: Desk, catalogue: Catalogue, faults: FaultDraws, merchant_inbox: Callable[[int], Store]
    ) -> None:
        self.tickets: list[Ticket] = []
        self.receipts: list[Receipt] = []
        self.faults_met: list[MetFault] = []
        """What the printers say of the faults that tickets met."""
        self.relay = Servers(1)
        self.dispatchers = Servers(desk.scenario.platform.dispatchers)
        spec = desk.scenario.printing
        profile = profile_of(spec)
        self.lanes = [_Lane(Printer(desk.env, merchant.merchant_id, profile)) for merchant in desk.city.merchants]
        self._desk = desk
        self._catalogue = catalogue
        self._faults = faults
        self._inbox = merchant_inbox
        self._width = WIDTH_COLS[spec.width]
        self._policy = PrintPolicy(spec.max_attempts, spec.retry_backoff_s, spec.ack_timeout_s, spec.deadline_s)
        self._overdue = Deadlines[Ticket](desk.env, spec.deadline_s, is_open=self._is_watched, overdue=self._late)

    def committed(self, order: Order) -> None:
        """The order's transaction is committed, its ticket is in the outbox."""
        now = self._desk.env.now
        ticket = order.ticket = Ticket(order, now)
        self.tickets.append(ticket)
        self._overdue.watch(ticket)
        service_s = self._desk.service.publish[order.order_id]
        self._desk.later(self.relay.book(now, service_s) + service_s - now, partial(self._published, ticket))

    def _published(self, ticket: Ticket, _: Event) -> None:
        order = ticket.order
        order.published = self._desk.env.now
        if ticket.state is not TicketState.QUEUED:
            return  # its deadline has passed in the outbox
        lane = self.lanes[order.merchant_id]
        lane.waiting.append(ticket)
        if lane.idle:
            lane.idle = False
            self._claim(lane)

    def _claim(self, lane: _Lane, _: Event | None = None) -> None:
        """A dispatcher, when one is free, takes the lane's first ticket, connects, claims and renders it."""
        if lane.waiting[0].state is not TicketState.QUEUED:
            self._next(lane)  # its deadline has passed at the head of the lane
            return
        now, order_id, service = self._desk.env.now, lane.waiting[0].order.order_id, self._desk.service
        stages_s = service.claim[order_id] + service.render[order_id] + service.send[order_id]
        begin = self.dispatchers.book(now, stages_s)
        lane.claimed_at = begin + service.claim[order_id]
        self._desk.later(begin + stages_s - now, partial(self._send, lane))

    def _send(self, lane: _Lane, _: Event) -> None:
        now, ticket, service = self._desk.env.now, lane.waiting[0], self._desk.service
        order_id = ticket.order.order_id
        claimed_at, lane.claimed_at = lane.claimed_at, inf
        if ticket.state is not TicketState.QUEUED:
            self._next(lane)
            return
        ticket.attempts += 1
        repair_s = self._desk.tempo.run_s(self._faults.repair_s(order_id))
        if ticket.attempts == 1 and self._faults.before(order_id):
            fault = self._meet(ticket, repair_s)
            assert fault is not None
            lane.printer.meet(fault, repair_s)
        trouble = lane.printer.trouble()
        if trouble is not None:
            self._failed(lane, ticket, OUTCOMES[trouble])
            return
        fault = None if self._faults.before(order_id) else self._meet(ticket, repair_s)
        self._step(ticket, TicketEvent.CLAIM)
        ticket.claimed = min(claimed_at, now)  # min: a sum of floats may round past the event
        ticket.rendered = min(ticket.claimed + service.render[order_id], now)
        ticket.layout = layout(self._content(ticket.order), self._width)
        ticket.delivered_to_printer = now
        self._put_out(lane, ticket, fault, repair_s)

    def _meet(self, ticket: Ticket, repair_s: float) -> PrinterFault | None:
        """The fault that the ticket meets now, if it is to meet one; written down as its printer's word."""
        order = ticket.order
        fault = self._faults.fault(order.order_id)
        if fault is not None:
            now = self._desk.env.now
            ticket.met = MetFault(order, fault.value, now, now if fault in NO_REPAIR else now + repair_s)
            self.faults_met.append(ticket.met)
        return fault

    def _put_out(self, lane: _Lane, ticket: Ticket, fault: PrinterFault | None, repair_s: float) -> None:
        """Have a ticket printed, twice if that is what its printer does."""
        now, printer = self._desk.env.now, lane.printer
        length_mm = ticket_mm(printer.mechanism, ticket.layout)
        if fault is PrinterFault.DUPLICATE:
            printer.put_out(length_mm, repair_s, partial(self._paper, lane, ticket, None))
        out_at = printer.put_out(
            length_mm,
            repair_s,
            partial(self._on_paper, lane, ticket, printer.outages, fault),
            fault=fault,
            after_mm=self._faults.after_mm(ticket.order.order_id),
            data_bytes=ticket_bytes(ticket.layout),
        )
        if out_at > now + self._policy.ack_timeout_s or fault in WAITS:  # so slow a printer answers too late
            self._desk.later(self._policy.ack_timeout_s, partial(self._silent, lane, ticket))

    def _paper(self, lane: _Lane, ticket: Ticket, fault: PrinterFault | None, printed_mm: float, whole: bool) -> None:
        """Paper is out. A merchant whose ticket nobody can read sees that one came, and reads the order in the app."""
        order, layout_lines, mechanism = ticket.order, ticket.layout, lane.printer.mechanism
        if printed_mm > 0.0:
            count = len(layout_lines) if whole else lines_within(mechanism.profile, layout_lines, printed_mm)
            text_lines = tuple([line.text for line in layout_lines[:count]])
            if whole and fault in SPOILED:
                text_lines = spoiled(fault.value, text_lines)
            self.receipts.append(Receipt(lane.printer.printer_id, self._desk.env.now, printed_mm, text_lines))
        if whole:
            self._inbox(order.merchant_id).put(TicketOnPaper(order.order_id))

    def _on_paper(
        self, lane: _Lane, ticket: Ticket, outages: int, fault: PrinterFault | None, printed_mm: float, whole: bool
    ) -> None:
        """Paper is out: the merchant sees it, and the printer answers unless the answer is lost.

        `outages` are those of the printer when the ticket was sent: one more, and the connection is another.
        """
        now = self._desk.env.now
        self._paper(lane, ticket, fault, printed_mm, whole)
        answers = whole and fault is not PrinterFault.LOST_ACK and not lane.printer.mute
        if answers and lane.printer.outages == outages:
            late = ticket.state is TicketState.UNCONFIRMED
            self._step(ticket, TicketEvent.LATE_RESULT if late else TicketEvent.PRINT)
            ticket.printed = now
            if ticket.met is not None:
                ticket.met.answered = now
            if not late:
                self._next(lane)
        elif ticket.state is TicketState.CLAIMED:
            assert ticket.delivered_to_printer is not None
            left_s = max(ticket.delivered_to_printer + self._policy.ack_timeout_s - now, 0.0)
            self._desk.later(0.0 if fault in BREAKS else left_s, partial(self._silent, lane, ticket))

    def _silent(self, lane: _Lane, ticket: Ticket, _: Event) -> None:
        if ticket.state is TicketState.CLAIMED:
            self._failed(lane, ticket, PrintOutcome.SILENT)

    def _failed(self, lane: _Lane, ticket: Ticket, outcome: PrintOutcome) -> None:
        """The attempt did not end in `printed`: ask the policy."""
        now = self._desk.env.now
        facts: dict[str, Any] = {
            "attempts": ticket.attempts,
            "outcome": outcome,
            "queued_at": ticket.queued,
            "now": now,
        }
        verdict = tickets.after_failure(self._policy, **facts)
        if self._desk.decisions is not None:
            self._desk.decisions.note("tickets.after_failure", {"policy": self._policy, **facts}, verdict)
        if isinstance(verdict, Retry):  # still queued, and still the first
            self._desk.later(verdict.at - now, partial(self._claim, lane))
            return
        if isinstance(verdict, GiveUp):
            self._step(ticket, TicketEvent.FAIL)
            ticket.code = verdict.code
        else:
            self._step(ticket, TicketEvent.TIME_OUT)
            ticket.code = str(outcome)
        self._tell(ticket, verdict.escalate)
        self._next(lane)

    def _next(self, lane: _Lane) -> None:
        lane.waiting.popleft()
        while lane.waiting and lane.waiting[0].state is not TicketState.QUEUED:
            lane.waiting.popleft()  # its deadline has passed in the lane
        if lane.waiting:
            self._claim(lane)
        else:
            lane.idle = True

    def _step(self, ticket: Ticket, event: TicketEvent) -> None:
        after = tickets.step(ticket.state, event)
        if self._desk.decisions is not None:
            self._desk.decisions.note("tickets.step", {"state": ticket.state, "event": event}, after)
        assert not isinstance(after, Refused), (ticket.order.order_id, after)
        ticket.state = after

    @staticmethod
    def _is_watched(ticket: Ticket) -> bool:
        """Unsent, or not on paper as far as the platform knows while no merchant has taken the order."""
        if ticket.state is TicketState.PRINTED:
            return False
        return ticket.state in tickets.UNSENT or ticket.order.state is OrderState.PAID

    def _late(self, ticket: Ticket) -> None:
        now, lane = self._desk.env.now, self.lanes[ticket.order.merchant_id]
        claimed = lane.claimed_at <= now and lane.waiting[0] is ticket  # written down when its bytes leave
        facts: dict[str, Any] = {
            "state": TicketState.CLAIMED if claimed else ticket.state,
            "queued_at": ticket.queued,
            "level": ticket.escalation,
            "now": now,
        }
        due = tickets.at_deadline(self._policy, **facts)
        if self._desk.decisions is not None:
            self._desk.decisions.note("tickets.at_deadline", {"policy": self._policy, **facts}, due)
        if isinstance(due, GiveUp):
            self._step(ticket, TicketEvent.FAIL)
            ticket.code = due.code
            self._tell(ticket, due.escalate)
        elif due is not None:
            self._tell(ticket, due.level)
        if ticket.escalation is not Escalation.PHONE:
            self._overdue.watch(ticket)

    def _tell(self, ticket: Ticket, level: Escalation) -> None:
        """Tell the merchant by app, SMS or phone that an order's ticket is late or uncertain; each once."""
        if ticket.escalation is not None and tickets.LADDER.index(level) <= tickets.LADDER.index(ticket.escalation):
            return
        ticket.escalation = level
        order = ticket.order
        self._inbox(order.merchant_id).put(AppNotice(order.order_id, str(level)))

    def _content(self, order: Order) -> TicketOrder:
        desk = self._desk
        minute = desk.minute_of_day
        due = int(desk.start_min + desk.tempo.city_s(order.intended) / 60.0 + desk.scenario.slo.promise_min) % 1440
        node = self._catalogue.drop_node[order.order_id]
        return TicketOrder(
            order_no=order.order_no,
            merchant_name=desk.city.merchants[order.merchant_id].name,
            lines=order.lines,
            items_fen=order.quote.items_fen,
            discount_fen=order.quote.discount_fen,
            delivery_fee_fen=order.quote.delivery_fee_fen,
            total_fen=order.quote.total_fen,
            note=self._catalogue.notes[order.order_id],
            phone_masked=mask_phone(f"138{order.user_id % 100_000_000:08d}"),
            address=mask_address(f"{int(desk.city.zones[node]) + 1}区{node}号"),
            placed_at_text=f"{minute // 60:02d}:{minute % 60:02d}",
            due_text=f"{due // 60:02d}:{due % 60:02d}",
        )
