"""Reconcile desk: the modelled platform compares its books with the provider's, and repairs what differs (G11).

Decides when it looks (every `reconcile_interval_s`, at payments whose entry is at least `reconcile_grace_s` old) and
carries out what the domain's rule says, by the order desk's own steps. Without faults nothing can differ, and nobody
looks: that costs a run without faults no event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simpy import Event

from o2o_domain import reconcile as rules
from o2o_domain.reconcile import Ours, Repair, Theirs, Verdict
from o2o_sim.platform_model.desk import Desk
from o2o_sim.platform_model.records import Payment


@dataclass(frozen=True, slots=True)
class Found:
    """A row of the run table `reconciliations`; times are run seconds."""

    payment: Payment
    verdict: Verdict
    since: float
    found: float


class ReconcileDesk:
    """`watch` each payment that the provider has decided on; `repairs` are the order desk's steps, by verdict."""

    def __init__(self, desk: Desk, repairs: Mapping[Repair, Callable[[Payment, int], None]], *, active: bool) -> None:
        self.found: list[Found] = []
        self._desk = desk
        self._repairs = repairs
        self._waiting: deque[Payment] = deque()
        spec = desk.scenario.platform.payment
        self._every_s, self._grace_s = spec.reconcile_interval_s, spec.reconcile_grace_s
        self._active = active
        if active:
            desk.later(self._every_s, self._look)

    def watch(self, payment: Payment) -> None:
        """The provider has taken the money, or refused, just now."""
        if self._active:
            self._waiting.append(payment)

    def _look(self, _: Event) -> None:
        now = self._desk.env.now
        waiting = self._waiting
        while waiting and now - _changed(waiting[0]) >= self._grace_s:
            self._compare(waiting.popleft(), now)
        self._desk.later(self._every_s, self._look)

    def _compare(self, payment: Payment, now: float) -> None:
        facts = {"ours": _ours(payment), "theirs": _theirs(payment), "now": now, "grace_s": self._grace_s}
        verdict = rules.reconcile(_ours(payment), _theirs(payment), now=now, grace_s=self._grace_s)
        if self._desk.decisions is not None:
            self._desk.decisions.note("reconcile.reconcile", facts, verdict)
        repair = self._repairs.get(verdict.repair)
        if repair is not None:
            self.found.append(Found(payment, verdict, _changed(payment), now))
            repair(payment, verdict.fen)


def _changed(payment: Payment) -> float:
    assert payment.confirmed is not None  # it is watched from then on
    return payment.confirmed


def _ours(payment: Payment) -> Ours:
    return Ours(payment.state, payment.amount_fen, payment.taken_fen, payment.refund_fen)  # refunds are given at once


def _theirs(payment: Payment) -> Theirs:
    state = "ok" if payment.provider_state == "paid" else str(payment.provider_state)
    return Theirs(state, payment.provider_fen or 0, payment.provider_refunded_fen or 0, _changed(payment))
