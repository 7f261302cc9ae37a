"""By hand: what the phone's and the app's age have in common, from a committed order to a slip in the kitchen (A14).

Decides how an order becomes a slip, when a late one is told by other means, and what becomes of a slip that is lost.
How an order comes to somebody who writes is left to the two ages; what is written, to the domain and to luck.

The order's ticket is the slip: queued until somebody takes it up, claimed while it is written, printed when it is in
the kitchen. Its marks are: claimed, taken up; rendered and delivered_to_printer, written; printed, in the kitchen. A
lost slip is unconfirmed, and is told by voice when rider or user ask for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from simpy import Event, Resource, Store

from o2o_domain import notification, tickets
from o2o_domain.notification import Age, Slip
from o2o_domain.orders import OrderState
from o2o_domain.refusal import Refused
from o2o_domain.tickets import Escalation, PrintPolicy, TicketEvent, TicketState
from o2o_scenarios.notification import CopyingSpec
from o2o_sim.actors.scene import Steps
from o2o_sim.notification.draws import PeopleDraws
from o2o_sim.notification.notes import Note
from o2o_sim.platform_model.deadlines import Deadlines
from o2o_sim.platform_model.desk import Desk
from o2o_sim.platform_model.records import Order, Receipt, Ticket
from o2o_sim.port import AppNotice, TicketOnPaper
from o2o_sim.servers import Servers

LOST_SLIP = "lost_slip"
"""Code of a ticket whose slip never reached the kitchen."""


@dataclass(slots=True, eq=False)
class Job:
    """An order on its way. `seen` succeeds when somebody has seen that it waits (in the app)."""

    ticket: Ticket
    note: Note
    seen: Event
    slip: Slip | None = None

    @property
    def order_id(self) -> int:
        """The order's number."""
        return self.ticket.order.order_id

    @property
    def merchant_id(self) -> int:
        """The order's merchant."""
        return self.ticket.order.merchant_id


class HandDesk(ABC):
    """Orders written down by hand. Implements what the platform model asks of its desk for tickets."""

    age: Age
    copying: CopyingSpec

    def __init__(self, desk: Desk, draws: PeopleDraws, merchant_inbox: Callable[[int], Store]) -> None:
        spec = desk.scenario.printing
        self.tickets: list[Ticket] = []
        self.receipts: list[Receipt] = []
        self.notes: list[Note] = []
        self.relay = Servers(1)
        self.dispatchers = Servers(desk.scenario.platform.dispatchers)
        self.staff = [Resource(desk.env, spec.staff.on_shift) for _ in desk.city.merchants]
        self.desk = desk
        self.draws = draws
        self._inbox = merchant_inbox
        self._menus = [tuple(dish.name for dish in merchant.menu) for merchant in desk.city.merchants]
        self._policy = PrintPolicy(spec.max_attempts, spec.retry_backoff_s, spec.ack_timeout_s, spec.deadline_s)
        self._overdue = Deadlines[Job](desk.env, spec.deadline_s, is_open=self._waits, overdue=self._late)

    def committed(self, order: Order) -> None:
        """The order's transaction is committed; somebody must be told."""
        now = self.desk.env.now
        ticket = order.ticket = Ticket(order, now)
        job = Job(ticket, Note(order.order_id, order.merchant_id, now), self.desk.env.event())
        self.tickets.append(ticket)
        self.notes.append(job.note)
        self._overdue.watch(job)
        service_s = self.desk.service.publish[order.order_id]
        self.desk.later(self.relay.book(now, service_s) + service_s - now, partial(self._published, job))

    def _published(self, job: Job, _: Event) -> None:
        now = self.desk.env.now
        job.ticket.order.published = job.note.told = now
        self.desk.env.process(self.life(job))

    @abstractmethod
    def life(self, job: Job) -> Steps:
        """From the platform's word to the slip in the kitchen."""

    # For the ages -------------------------------------------------------------------------------------------------

    def city(self, seconds: float) -> Event:
        """An event in so many city seconds."""
        return self.desk.env.timeout(self.desk.tempo.run_s(seconds))

    def pace(self, job: Job) -> float:
        """How much longer this order takes people."""
        return self.draws.pace[job.order_id]

    def taken_up(self, job: Job) -> None:
        """Somebody begins to write."""
        ticket = job.ticket
        job.note.noticed = ticket.claimed = self.desk.env.now
        ticket.attempts = job.note.attempts
        self._step(ticket, TicketEvent.CLAIM)

    def written(self, job: Job) -> None:
        """The slip is written; what stands on it is the order, but for mistakes."""
        ticket, order = job.ticket, job.ticket.order
        ticket.rendered = ticket.delivered_to_printer = self.desk.env.now
        lines = tuple((line.name, line.qty) for line in order.lines)
        job.slip = self.draws.slip(order.order_id, lines, self._menus[order.merchant_id], self.copying)

    def arrived(self, job: Job) -> None:
        """The slip is in the kitchen, or would be if it had not been lost."""
        ticket, now = job.ticket, self.desk.env.now
        if job.slip is None:
            self._step(ticket, TicketEvent.TIME_OUT)
            ticket.code = LOST_SLIP
            found_s = self.desk.scenario.printing.staff.missed_found_s
            self.desk.later(self.desk.tempo.run_s(found_s), partial(self._found, job))
            return
        self._step(ticket, TicketEvent.PRINT)
        ticket.printed = job.note.known = now
        job.note.slip = job.slip
        self._inbox(job.merchant_id).put(TicketOnPaper(job.order_id))

    def escalate(self, job: Job, level: Escalation) -> None:
        """The order is told by other means from now on."""
        job.ticket.escalation = level

    # Lateness -----------------------------------------------------------------------------------------------------

    def _found(self, job: Job, _: Event) -> None:
        """Rider or user ask for an order whose slip was lost: the kitchen is told by voice."""
        if job.ticket.order.state is OrderState.PAID:
            job.ticket.escalation = Escalation.PHONE
            job.note.known = self.desk.env.now
            self._inbox(job.merchant_id).put(AppNotice(job.order_id, str(Escalation.PHONE)))

    @staticmethod
    def _waits(job: Job) -> bool:
        """Not in the kitchen yet, as far as the platform can know."""
        return job.ticket.state in (TicketState.QUEUED, TicketState.CLAIMED)

    def _late(self, job: Job) -> None:
        facts: dict[str, Any] = {
            "queued_at": job.ticket.queued,
            "level": job.ticket.escalation,
            "now": self.desk.env.now,
        }
        due = notification.overdue(self.age, self._policy, **facts)
        if self.desk.decisions is not None:
            self.desk.decisions.note("notification.overdue", {"age": self.age, "policy": self._policy, **facts}, due)
        if due is not None:
            self.escalate(job, due)
        if job.ticket.escalation is not notification.ladder(self.age)[-1]:
            self._overdue.watch(job)

    def _step(self, ticket: Ticket, event: TicketEvent) -> None:
        after = tickets.step(ticket.state, event)
        if self.desk.decisions is not None:
            self.desk.decisions.note("tickets.step", {"state": ticket.state, "event": event}, after)
        assert not isinstance(after, Refused), (ticket.order.order_id, after)
        ticket.state = after
