"""The third age, the platform's side: tickets that the merchants' apps fetch and print on their own printers (A14).

Decides when an app rings and what it is shown, given and believed: as the platform does for every printer that comes by
itself, the head of the queue is shown, taken, and under way alone; a ticket that was taken is never given out again,
and without a result it is unconfirmed. Deadline and ladder are those of all tickets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simpy import Event, Store

from o2o_domain import tickets
from o2o_domain.ticket_layout import layout
from o2o_domain.tickets import LADDER, TERMINAL, PrintOutcome, TicketEvent, TicketState, Unconfirmed
from o2o_sim.notification.attached import ModelledPrinters
from o2o_sim.platform_model.catalogue import Catalogue
from o2o_sim.platform_model.desk import NOT_FOUND, OK, Desk
from o2o_sim.platform_model.print_desk import PrintDesk
from o2o_sim.platform_model.records import Ticket
from o2o_sim.port import Reply, TicketWaiting
from o2o_sim.printers.faults import FaultDraws

_NOTHING = Reply(204)
_OVERTAKEN = Reply(409, {"error": {"code": "overtaken", "detail": ""}})


class AppPrintDesk(PrintDesk):
    """Tickets wait for the apps; no dispatcher touches them."""

    def __init__(
        self,
        desk: Desk,
        catalogue: Catalogue,
        faults: FaultDraws,
        merchant_inbox: Callable[[int], Store],
        app_inbox: Callable[[int], Store],
    ) -> None:
        super().__init__(desk, catalogue, faults, merchant_inbox)
        self._apps = app_inbox
        self._by_token: dict[str, Ticket] = {}
        printers = [lane.printer for lane in self.lanes]
        self.attached = ModelledPrinters(
            desk.env, desk.tempo, printers, faults, self.receipts, merchant_inbox, self._met_by
        )

    def _published(self, ticket: Ticket, _: Event) -> None:
        order = ticket.order
        order.published = self._desk.env.now
        if ticket.state is TicketState.QUEUED:
            self.lanes[order.merchant_id].waiting.append(ticket)
            self._apps(order.merchant_id).put(TicketWaiting(order.order_id, self._desk.env.now))

    # What the app asks ----------------------------------------------------------------------------------------------

    def next_ticket(self, merchant_id: int) -> Event:
        """Show the head of the queue."""
        name = "GET /merchants/{id}/tickets/next"
        return self._desk.request("merchant", name, None, self._desk.service.other(), partial(self._shown, merchant_id))

    def fetch_ticket(self, merchant_id: int, token: str) -> Event:
        """Give out what was shown."""
        name = "POST /merchants/{id}/tickets/{token}/fetch"
        decide = partial(self._fetched, merchant_id, token)
        return self._desk.request("merchant", name, self._order(token), self._desk.service.other(), decide)

    def ticket_result(self, merchant_id: int, token: str, code: str | None) -> Event:
        """Hear how it went."""
        name = "POST /merchants/{id}/tickets/{token}/result"
        decide = partial(self._told, merchant_id, token, code)
        return self._desk.request("merchant", name, self._order(token), self._desk.service.other(), decide)

    # What it is answered --------------------------------------------------------------------------------------------

    def _shown(self, merchant_id: int) -> Reply:
        waiting = self.lanes[merchant_id].waiting
        while waiting and waiting[0].state in TERMINAL | {TicketState.UNCONFIRMED}:
            waiting.popleft()
        if not waiting or waiting[0].state is TicketState.CLAIMED:
            return _NOTHING
        ticket = waiting[0]
        if ticket.state is TicketState.QUEUED:
            self._step(ticket, TicketEvent.OFFER)
        token = str(ticket.order.order_id)
        self._by_token[token] = ticket
        return Reply(200, {"token": token, "order_id": ticket.order.order_id})

    def _fetched(self, merchant_id: int, token: str) -> Reply:
        ticket = self._its(merchant_id, token)
        if ticket is None:
            return _OVERTAKEN
        if ticket.state is TicketState.OFFERED:
            self._step(ticket, TicketEvent.CLAIM)
            ticket.attempts += 1
            ticket.claimed = ticket.rendered = ticket.delivered_to_printer = self._desk.env.now
            ticket.layout = layout(self._content(ticket.order), self._width)
            self._desk.later(self._policy.ack_timeout_s, partial(self._no_result, ticket))
        elif ticket.state is not TicketState.CLAIMED:
            return _OVERTAKEN
        return Reply(200, {"job": ticket.layout})

    def _told(self, merchant_id: int, token: str, code: str | None) -> Reply:
        ticket, now = self._its(merchant_id, token), self._desk.env.now
        if ticket is None:
            return NOT_FOUND
        if ticket.state not in (TicketState.CLAIMED, TicketState.UNCONFIRMED):
            return OK  # repeated, or overtaken
        if code is not None:
            self._step(ticket, TicketEvent.FAIL)
            ticket.code = code
            self._tell(ticket, LADDER[0])
            return OK
        late = ticket.state is TicketState.UNCONFIRMED
        self._step(ticket, TicketEvent.LATE_RESULT if late else TicketEvent.PRINT)
        ticket.printed = now
        if ticket.met is not None:
            ticket.met.answered = now
        if not late:
            ticket.code = None
        return OK

    def _no_result(self, ticket: Ticket, _: Event) -> None:
        if ticket.state is not TicketState.CLAIMED:
            return
        facts = {"attempts": ticket.attempts, "outcome": PrintOutcome.SILENT}
        when = {"queued_at": ticket.queued, "now": self._desk.env.now}
        verdict = tickets.after_failure(self._policy, **facts, **when)  # type: ignore[arg-type]
        if self._desk.decisions is not None:
            self._desk.decisions.note("tickets.after_failure", {"policy": self._policy, **facts, **when}, verdict)
        assert isinstance(verdict, Unconfirmed)
        self._step(ticket, TicketEvent.TIME_OUT)
        ticket.code = "no_result"
        self._tell(ticket, verdict.escalate)

    def _met_by(self, order_id: int, repair_s: float) -> None:
        ticket = self._catalogue.orders[order_id].ticket
        assert ticket is not None, "nobody prints an order that has no ticket"
        self._meet(ticket, repair_s)

    def _its(self, merchant_id: int, token: str) -> Ticket | None:
        ticket = self._by_token.get(token)
        return ticket if ticket is not None and ticket.order.merchant_id == merchant_id else None

    def _order(self, token: str) -> int | None:
        ticket = self._by_token.get(token)
        return None if ticket is None else ticket.order.order_id
