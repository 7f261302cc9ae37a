"""Every table of transitions: no illegal step, terminal states have no exits, every state can be reached and left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import pytest

from o2o_domain import coupons, deals, leads, orders, payments, tcc, tickets
from o2o_domain.errors import UnknownKindError
from o2o_domain.orders import OrderEvent, OrderState
from o2o_domain.refusal import Refused


@dataclass(frozen=True)
class Machine:
    """One state machine under test."""

    name: str
    table: Mapping[tuple[Any, Any], Any]
    step: Callable[[Any, Any], Any]
    states: Iterable[StrEnum]
    events: Iterable[StrEnum]
    terminal: frozenset[Any]
    initial: frozenset[Any]


MACHINES = [
    Machine(
        "takeout",
        orders.TAKEOUT,
        partial(orders.step, "order"),
        OrderState,
        OrderEvent,
        orders.TERMINAL["order"],
        frozenset({OrderState.PENDING_PAYMENT, OrderState.REFUSED}),
    ),
    Machine(
        "deal",
        orders.DEAL,
        partial(orders.step, "deal"),
        OrderState,
        OrderEvent,
        orders.TERMINAL["deal"],
        frozenset({OrderState.PENDING_PAYMENT, OrderState.REFUSED}),
    ),
    Machine("reservation", tcc.STAGES, tcc.step, tcc.Stage, tcc.StageEvent, tcc.OVER, frozenset({tcc.Stage.TRYING})),
    Machine(
        "ticket",
        tickets.TRANSITIONS,
        tickets.step,
        tickets.TicketState,
        tickets.TicketEvent,
        tickets.TERMINAL,
        frozenset({tickets.TicketState.QUEUED}),
    ),
    Machine(
        "payment",
        payments.TRANSITIONS,
        payments.step,
        payments.PaymentState,
        payments.PaymentEvent,
        payments.TERMINAL,
        frozenset({payments.PaymentState.REQUESTED}),
    ),
    Machine(
        "coupon",
        coupons.TRANSITIONS,
        coupons.step,
        coupons.CouponState,
        coupons.CouponEvent,
        coupons.TERMINAL,
        frozenset({coupons.CouponState.CLAIMED}),
    ),
    Machine(
        "voucher",
        deals.TRANSITIONS,
        deals.step,
        deals.VoucherState,
        deals.VoucherEvent,
        deals.TERMINAL,
        frozenset({deals.VoucherState.ISSUED}),
    ),
    Machine(
        "lead",
        leads.TRANSITIONS,
        leads.step,
        leads.LeadStage,
        leads.LeadEvent,
        leads.TERMINAL,
        frozenset({leads.LeadStage.NEW, leads.LeadStage.OPPORTUNITY}),
    ),
]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_step_follows_the_table_and_nothing_else(machine: Machine) -> None:
    """A13: what the table does not hold is refused as illegal_transition (the platform's 409), cell by cell."""
    for state in machine.states:
        for event in machine.events:
            after = machine.step(state, event)
            if (state, event) in machine.table:
                assert after == machine.table[state, event]
            else:
                assert after == Refused("illegal_transition", f"{state} + {event}")


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_plain_strings_find_the_same_rows(machine: Machine) -> None:
    for (state, event), after in machine.table.items():
        assert machine.step(str(state), str(event)) == after


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_terminal_states_are_exactly_those_without_exits(machine: Machine) -> None:
    mentioned = machine.initial | {state for state, _ in machine.table} | set(machine.table.values())
    with_exit = {state for state, _ in machine.table}
    assert mentioned - with_exit == machine.terminal


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_reached_and_leads_to_an_end(machine: Machine) -> None:
    reached = set(machine.initial)
    while more := {after for (state, _), after in machine.table.items() if state in reached} - reached:
        reached |= more
    assert reached == {state for state, _ in machine.table} | machine.terminal
    ends = set(machine.terminal)
    while more := {state for (state, _), after in machine.table.items() if after in ends} - ends:
        ends |= more
    assert ends >= reached


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_tables_cannot_be_changed(machine: Machine) -> None:
    with pytest.raises(TypeError):
        machine.table["x", "y"] = "z"  # type: ignore[index]


def test_the_takeout_flow_of_a13_step_by_step() -> None:
    """A13: user orders, merchant notified, cook, delivery by runner, user eats."""
    state: OrderState | Refused = OrderState.PENDING_PAYMENT
    seen = []
    for event in ("pay", "accept", "ready", "pick_up", "deliver"):
        assert isinstance(state, OrderState)
        state = orders.step("order", state, OrderEvent(event))
        seen.append(str(state))
    assert seen == ["paid", "cooking", "ready", "picked_up", "delivered"]


def test_two_verticals_share_the_core_and_differ_in_their_tables() -> None:
    """A4: the same order core serves two verticals with different state machines."""
    assert orders.step("order", OrderState.PENDING_PAYMENT, OrderEvent.PAY) == OrderState.PAID
    assert orders.step("deal", OrderState.PENDING_PAYMENT, OrderEvent.PAY) == OrderState.ISSUED
    assert isinstance(orders.step("deal", OrderState.ISSUED, OrderEvent.ACCEPT), Refused)
    assert isinstance(orders.step("order", OrderState.PAID, OrderEvent.REDEEM), Refused)
    for event in (OrderEvent.PAY_REFUSED, OrderEvent.PAY_TIMEOUT, OrderEvent.CANCEL):
        assert orders.step("order", OrderState.PENDING_PAYMENT, event) == orders.step(
            "deal", OrderState.PENDING_PAYMENT, event
        )


@pytest.mark.parametrize(
    ("state", "possible"),
    [("paid", True), ("cooking", True), ("ready", True), ("picked_up", False), ("delivered", False)],
)
def test_an_order_on_the_road_cannot_be_cancelled(state: str, possible: bool) -> None:
    after = orders.step("order", OrderState(state), OrderEvent.CANCEL)
    assert (after == OrderState.CANCELLED) is possible


def test_money_after_the_deadline_does_not_revive_an_order() -> None:
    assert isinstance(orders.step("order", OrderState.CLOSED, OrderEvent.PAY), Refused)


def test_settled_is_terminal_or_an_issued_voucher() -> None:
    for kind in orders.VERTICALS:
        for state in OrderState:
            expected = state in orders.TERMINAL[kind] or (kind == "deal" and state == OrderState.ISSUED)
            assert orders.settled(kind, state) is expected


def test_refundable_states_are_those_that_end_after_payment_without_goods() -> None:
    assert {s for s in OrderState if orders.refundable("order", s)} == {OrderState.REJECTED, OrderState.CANCELLED}
    assert {s for s in OrderState if orders.refundable("deal", s)} == {OrderState.REFUNDED}


def test_an_unknown_kind_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(UnknownKindError, match=r"'hotel'.*order, deal"):
        orders.step("hotel", OrderState.PAID, OrderEvent.PAY)


def test_a_voucher_is_redeemed_once_and_not_refunded_afterwards() -> None:
    """A6."""
    assert isinstance(deals.step(deals.VoucherState.REDEEMED, deals.VoucherEvent.REDEEM), Refused)
    assert isinstance(deals.step(deals.VoucherState.REDEEMED, deals.VoucherEvent.REFUND), Refused)
