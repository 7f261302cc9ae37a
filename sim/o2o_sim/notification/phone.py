"""The first age: the platform's people phone the merchant, and a waiter writes the order down (A14).

Decides who waits for whom: an order for a caller, a caller for the line and for a waiter's free hand, and what follows
a call that came to nothing is the domain's. One waiter, one line: while a slip is dictated the next caller hears the
engaged tone; while it is carried to the kitchen the telephone rings unanswered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simpy import Resource, Store

from o2o_domain import notification
from o2o_domain.notification import Age, CallOutcome, CallPolicy, Redial
from o2o_domain.tickets import Escalation
from o2o_sim.actors.scene import Steps
from o2o_sim.notification.draws import PeopleDraws
from o2o_sim.notification.hand_desk import HandDesk, Job
from o2o_sim.platform_model.desk import Desk


class PhoneDesk(HandDesk):
    """Callers, the merchants' lines, and waiters who write."""

    age = Age.PHONE

    def __init__(self, desk: Desk, draws: PeopleDraws, merchant_inbox: Callable[[int], Store]) -> None:
        super().__init__(desk, draws, merchant_inbox)
        printing = desk.scenario.printing
        self._spec = printing.phone
        self._carry_s = printing.staff.carry_s
        self.copying = self._spec.copying
        self.callers = Resource(desk.env, self._spec.callers)
        self.lines = [Resource(desk.env, self._spec.lines) for _ in desk.city.merchants]
        self._calls = CallPolicy(self._spec.max_calls, desk.tempo.run_s(self._spec.redial_s), printing.deadline_s)

    def life(self, job: Job) -> Steps:
        """Call until the order is written down, then it is carried to the kitchen."""
        env = self.desk.env
        while True:
            with self.callers.request() as caller:
                yield caller
                began = env.now
                told = yield from self._call(job)
                job.note.caller_s += self.desk.tempo.city_s(env.now - began)
            if not isinstance(told, CallOutcome):
                break
            facts: dict[str, Any] = {"calls": job.note.attempts, "queued_at": job.ticket.queued, "now": env.now}
            verdict = notification.after_call(self._calls, **facts)
            if self.desk.decisions is not None:
                self.desk.decisions.note("notification.after_call", {"policy": self._calls, **facts}, verdict)
            if isinstance(verdict, Redial):
                yield env.timeout(verdict.at - env.now)
            else:
                self.escalate(job, verdict.level)
        yield self.city(self._carry_s)
        job.note.staff_s += self._carry_s
        if told is not None:
            self.staff[job.merchant_id].release(told)
        self.arrived(job)

    def _call(self, job: Job) -> Steps:
        """One call. Returns its outcome if it came to nothing, else the hand that wrote (None: the owner's own)."""
        spec = self._spec
        job.note.attempts += 1
        luck = self.draws.call(job.order_id, job.note.attempts)
        ring_s = luck.ring * spec.ring_mean_s
        if job.ticket.escalation is Escalation.PHONE:  # the owner carries his telephone with him
            yield self.city(min(ring_s, spec.ring_limit_s))
            yield from self._dictated(job)
            return None
        line = self.lines[job.merchant_id]
        if luck.engaged < spec.busy_share or line.count >= line.capacity:
            yield self.city(spec.engaged_s)
            return CallOutcome.BUSY
        with line.request() as free:
            yield free
            if ring_s > spec.ring_limit_s:  # nobody near
                yield self.city(spec.ring_limit_s)
                return CallOutcome.NO_ANSWER
            yield self.city(ring_s)
            hand = self.staff[job.merchant_id].request()
            yield hand | self.city(spec.ring_limit_s - ring_s)
            if not hand.triggered:  # near, and busy until the caller hung up
                hand.cancel()
                return CallOutcome.NO_ANSWER
            yield from self._dictated(job)
        return hand

    def _dictated(self, job: Job) -> Steps:
        """The caller says what was ordered, and somebody writes it down."""
        spec = self._spec
        self.taken_up(job)
        said_s = spec.greeting_s + spec.dictate_s_per_line * len(job.ticket.order.lines) + spec.customer_s
        said_s *= self.pace(job)
        yield self.city(said_s)
        job.note.staff_s += said_s
        self.written(job)
