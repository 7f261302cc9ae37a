"""The second age: the merchant's app rings, and a waiter reads the screen and copies it for the kitchen (A14).

Decides when an order is seen: each rings for itself, whoever looks at the app sees all that wait, and who comes back
from the kitchen looks again. What is late is seen at once when the platform rings again.
"""

from __future__ import annotations

from collections.abc import Callable

from simpy import Store

from o2o_domain.notification import Age
from o2o_domain.tickets import Escalation
from o2o_sim.actors.scene import Steps
from o2o_sim.notification.draws import PeopleDraws
from o2o_sim.notification.hand_desk import HandDesk, Job
from o2o_sim.platform_model.desk import Desk


class AppDesk(HandDesk):
    """Apps that ring, and waiters who copy."""

    age = Age.APP

    def __init__(self, desk: Desk, draws: PeopleDraws, merchant_inbox: Callable[[int], Store]) -> None:
        super().__init__(desk, draws, merchant_inbox)
        printing = desk.scenario.printing
        self._spec = printing.app
        self._carry_s = printing.staff.carry_s
        self.copying = self._spec.copying
        self._unseen: list[list[Job]] = [[] for _ in desk.city.merchants]

    def life(self, job: Job) -> Steps:
        """It rings until somebody looks; then it waits for a free hand, is copied and carried."""
        spec = self._spec
        self._unseen[job.merchant_id].append(job)
        yield self.city(self.draws.look[job.order_id] * spec.look_mean_s) | job.seen
        self._look(job.merchant_id)
        with self.staff[job.merchant_id].request() as hand:
            yield hand
            job.note.attempts += 1
            self.taken_up(job)
            copied_s = spec.open_s + spec.copy_s_per_line * len(job.ticket.order.lines) + spec.customer_s
            copied_s *= self.pace(job)
            yield self.city(copied_s)
            self.written(job)
            yield self.city(self._carry_s)
            job.note.staff_s += copied_s + self._carry_s
        self.arrived(job)
        self._look(job.merchant_id)

    def escalate(self, job: Job, level: Escalation) -> None:
        """It rings again, or somebody calls: now it is seen."""
        super().escalate(job, level)
        self._look(job.merchant_id)

    def _look(self, merchant_id: int) -> None:
        """Somebody is at the app and sees all that wait."""
        unseen, self._unseen[merchant_id] = self._unseen[merchant_id], []
        for job in unseen:
            if not job.seen.triggered:
                job.seen.succeed()
