"""The catalogue of rules by dotted name, and replaying a logged decision.

Decides which functions count as rules (what `decisions` may name) and how canonical JSON becomes values again. Leaves
making the log to the worlds and comparing two of them to the parity tests.

Reading back is lossless for equality: dataclasses come back as themselves, arrays as tuples, sets as sorted tuples, and
enum members as plain strings, which equal the members and find the same rows in the tables of transitions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from o2o_domain import (
    breaker,
    cloudprnt,
    coupons,
    deals,
    dispatch,
    epson,
    hours,
    leads,
    ledger,
    notification,
    orders,
    payments,
    pools,
    pricing,
    printers,
    reconcile,
    refusal,
    reviews,
    risk,
    roles,
    stock,
    tcc,
    ticket_layout,
    tickets,
)
from o2o_domain.decisions import Decision, to_json
from o2o_domain.errors import DomainError

RULES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "breaker.on_call": breaker.on_call,
        "breaker.on_result": breaker.on_result,
        "cloudprnt.after_confirmation": cloudprnt.after_confirmation,
        "cloudprnt.after_poll": cloudprnt.after_poll,
        "cloudprnt.job_gone": cloudprnt.job_gone,
        "cloudprnt.status": cloudprnt.status,
        "coupons.claim": coupons.claim,
        "coupons.eligible": coupons.eligible,
        "coupons.redeem": coupons.redeem,
        "coupons.step": coupons.step,
        "deals.buy": deals.buy,
        "deals.publish": deals.publish,
        "deals.redeem": deals.redeem,
        "deals.refund": deals.refund,
        "deals.step": deals.step,
        "dispatch.choose_rider": dispatch.choose_rider,
        "dispatch.give_up": dispatch.give_up,
        "dispatch.next_for": dispatch.next_for,
        "epson.held": epson.held,
        "epson.judge": epson.judge,
        "hours.is_open": hours.is_open,
        "leads.check_in": leads.check_in,
        "leads.convert": leads.convert,
        "leads.sign": leads.sign,
        "leads.step": leads.step,
        "leads.visit": leads.visit,
        "ledger.borne": ledger.borne,
        "ledger.paid": ledger.paid,
        "ledger.refunded": ledger.refunded,
        "ledger.settled": ledger.settled,
        "notification.after_call": notification.after_call,
        "notification.overdue": notification.overdue,
        "orders.step": orders.step,
        "payments.on_callback": payments.on_callback,
        "payments.part_refund": payments.part_refund,
        "payments.step": payments.step,
        "pools.assign": pools.assign,
        "pools.claim": pools.claim,
        "pools.drop_due": pools.drop_due,
        "pools.extend": pools.extend,
        "pools.idle_s": pools.idle_s,
        "pools.next_check_s": pools.next_check_s,
        "pricing.delivery_fee": pricing.delivery_fee,
        "pricing.price": pricing.price,
        "printers.printer_address": printers.printer_address,
        "reconcile.reconcile": reconcile.reconcile,
        "reviews.review": reviews.review,
        "risk.assess": risk.assess,
        "roles.allowed": roles.allowed,
        "stock.give_back": stock.give_back,
        "stock.reserve": stock.reserve,
        "tcc.decide": tcc.decide,
        "tcc.step": tcc.step,
        "ticket_layout.layout": ticket_layout.layout,
        "ticket_layout.parse": ticket_layout.parse,
        "tickets.after_failure": tickets.after_failure,
        "tickets.at_deadline": tickets.at_deadline,
        "tickets.escalation_due": tickets.escalation_due,
        "tickets.step": tickets.step,
    }
)
"""Every rule that a world may log, by "module.function"; inputs are logged under the parameters' names."""

_VALUES: tuple[type[Any], ...] = (
    breaker.Allow,
    breaker.Breaker,
    breaker.BreakerPolicy,
    breaker.Reject,
    cloudprnt.Status,
    coupons.Claimed,
    coupons.Coupon,
    coupons.Eligible,
    coupons.Ineligible,
    coupons.Spent,
    deals.Bought,
    deals.Deal,
    deals.Published,
    deals.Redeemed,
    deals.Refunded,
    dispatch.Assigned,
    dispatch.Candidate,
    dispatch.DispatchPolicy,
    dispatch.NoRider,
    dispatch.Pickup,
    epson.Judged,
    ledger.Borne,
    ledger.Posting,
    notification.CallOwner,
    notification.CallPolicy,
    notification.CopyChances,
    notification.Redial,
    notification.Step,
    payments.Apply,
    payments.GiveBack,
    payments.Ignore,
    pools.Drop,
    pools.Extended,
    pools.Granted,
    pools.GrantedHold,
    pools.Hold,
    pools.PoolPolicy,
    pricing.FeePolicy,
    pricing.Line,
    pricing.Quote,
    printers.Capabilities,
    printers.PrinterAddress,
    reconcile.Ours,
    reconcile.Theirs,
    reconcile.Verdict,
    refusal.Refused,
    reviews.Accepted,
    risk.Assessed,
    risk.RiskFacts,
    risk.RiskPolicy,
    stock.Reserved,
    tcc.Do,
    tcc.Skip,
    ticket_layout.ParsedTicket,
    ticket_layout.TicketOrder,
    tickets.Escalate,
    tickets.GiveUp,
    tickets.PrintPolicy,
    tickets.Retry,
    tickets.Unconfirmed,
)
VALUES: Mapping[str, type[Any]] = MappingProxyType({kind.__name__: kind for kind in _VALUES})
"""The dataclasses that stand in a log, by class name."""


def _revive(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(_revive(item) for item in plain)
    if not isinstance(plain, dict):
        return plain
    name = plain.get("_")
    if name is None:
        return {key: _revive(item) for key, item in plain.items()}
    if name == "map":
        return {_revive(key): _revive(item) for key, item in plain["items"]}
    kind = VALUES.get(name)
    if kind is None:
        raise DomainError(f"a decision names the unknown value {name!r}")
    return kind(**{key: _revive(item) for key, item in plain.items() if key != "_"})


def read(text: str) -> Any:
    """The value that `decisions.to_json` wrote as `text`. Raises DomainError for what it cannot have written."""
    try:
        return _revive(json.loads(text))
    except DomainError:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise DomainError(f"not the JSON of a decision: {error}") from error


def replay(decision: Decision) -> Decision:
    """The same rule on the same input, decided again: equal to `decision` unless the rule has changed.

    Raises DomainError for an unknown rule or an unreadable input.
    """
    rule = RULES.get(decision.rule)
    if rule is None:
        raise DomainError(f"unknown rule {decision.rule!r}")
    inputs = read(decision.input)
    if not isinstance(inputs, dict):
        raise DomainError(f"the input of {decision.rule} must be an object of named arguments")
    return Decision(decision.rule, decision.input, to_json(rule(**inputs)))
