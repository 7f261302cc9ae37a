"""Public and private pools of leads: claims under a quota, recycling, extension, assignment (C6, C7, C8).

Decides who may hold a lead and when it falls back into the public pool. Leaves running the recycle, storing holds and
history, and who is whose superior to the shells. Times are seconds on the caller's clock, a day is 86,400 s.

Three clocks run on a hold (C7); it drops when the first of them is due, at the instant and not a moment before:
- visit: `visit_days` (15) since the last visit, or since the claim when there was none;
- contract: `contract_days` (30) since the claim, unless the contract is signed;
- term: `term_days` (45) since the claim, signed or not. (A signed lead that becomes a merchant leaves the pools: the
  shell ends its hold; the term binds those whose conversion stalls.)

The source does not say which clock an extension or an assignment resets, so `extension_resets` decides:
- "term": an extension lengthens the term by `extension_days`, an assignment restarts it; the other two clocks run on;
- "all": an extension shields the hold from every clock until `extension_days` after the first of them would have
  been due (and lengthens the term too), an assignment restarts all three.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from o2o_domain.leads import LeadStage, closed
from o2o_domain.refusal import Refused

DAY_S = 86_400.0
IDLE_DAYS = 7.0
"""A private lead counts as idle from so long after its last visit, or after it was taken."""


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """Leads one BD may hold, the three clocks and extensions, in days; a hold is idle `idle_days` after a visit."""

    quota: int = 40
    term_days: float = 45
    visit_days: float = 15
    contract_days: float = 30
    extension_days: float = 15
    max_extensions: int = 1
    extension_resets: Literal["term", "all"] = "term"
    idle_days: float = IDLE_DAYS


@dataclass(frozen=True, slots=True)
class Hold:
    """A lead in a private pool.

    `claimed_at_s` starts the visit and contract clocks, `term_start_s` the term (None: also `claimed_at_s`);
    `extensions` counts those used; before `protected_until_s` (None: no shield) no clock is due.
    """

    owner: int
    claimed_at_s: float
    last_visit_s: float | None = None
    signed: bool = False
    extensions: int = 0
    protected_until_s: float | None = None
    term_start_s: float | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """The lead may be taken: start a hold with `start`."""


@dataclass(frozen=True, slots=True)
class GrantedHold(Granted):
    """The lead may be taken, with this hold."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Extended:
    """The hold after the extension."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Drop:
    """Back to the public pool. `reason`: no_visit | no_contract | term; due since `due_s`."""

    reason: str
    due_s: float


def start(owner: int, now_s: float) -> Hold:
    """A fresh hold: all clocks start now."""
    return Hold(owner, now_s)


def visited(hold: Hold, now_s: float) -> Hold:
    """The hold after a visit: the visit clock restarts."""
    return replace(hold, last_visit_s=now_s)


def signed(hold: Hold) -> Hold:
    """The hold after the contract is signed: the contract clock stops."""
    return replace(hold, signed=True)


def idle_s(policy: PoolPolicy, *, since_s: float, now_s: float) -> float:
    """Seconds up to `now_s` for which a private lead has lain idle that was visited (or taken) last at `since_s`.

    Worked: idle_days 7, taken on day 0: none on day 7, a day's on day 8.
    """
    return max(0.0, now_s - since_s - policy.idle_days * DAY_S)


def claim(*, owner: int | None, held: int, policy: PoolPolicy, stage: LeadStage = LeadStage.NEW) -> Granted | Refused:
    """May a BD who holds `held` leads claim one whose present owner is `owner` (None: public pool)? (C6)

    Refused with lead_closed, already_owned (also by himself: his claim stands) or quota_reached, in this order: at no
    instant does anyone hold more than the quota.
    """
    refused = closed(stage)
    if refused is not None:
        return refused
    if owner is not None:
        return Refused("already_owned", str(owner))
    if held >= policy.quota:
        return Refused("quota_reached", str(policy.quota))
    return Granted()


def _first_due(hold: Hold, policy: PoolPolicy) -> tuple[float, str]:
    since = hold.claimed_at_s if hold.last_visit_s is None else max(hold.last_visit_s, hold.claimed_at_s)
    due, reason = since + policy.visit_days * DAY_S, "no_visit"
    if not hold.signed:
        contract = hold.claimed_at_s + policy.contract_days * DAY_S
        if contract < due:
            due, reason = contract, "no_contract"
    term_start = hold.claimed_at_s if hold.term_start_s is None else hold.term_start_s
    term = term_start + (policy.term_days + hold.extensions * policy.extension_days) * DAY_S
    if term < due:
        due, reason = term, "term"
    if hold.protected_until_s is not None and due < hold.protected_until_s:
        due = hold.protected_until_s
    return due, reason


def next_check_s(hold: Hold, policy: PoolPolicy) -> float:
    """The earliest instant at which `drop_due` is true if nothing else happens to the hold."""
    return _first_due(hold, policy)[0]


def drop_due(hold: Hold, policy: PoolPolicy, now_s: float) -> Drop | None:
    """Drop when a clock is due at `now_s`, else None (C7: kept at day 14.999, dropped at 15).

    The reason is the clock that was due first; at the same instant no_visit goes before no_contract, that before term.
    """
    due, reason = _first_due(hold, policy)
    return Drop(reason, due) if now_s >= due else None


def extend(hold: Hold | None, policy: PoolPolicy, by_owner: bool, *, now_s: float | None = None) -> Extended | Refused:
    """The owner's self-service extension (C8); see the file's head for what it lengthens. None: a public lead.

    Refused with not_owner, no_extensions_left or, when `now_s` is given and a clock is due already, already_due.
    """
    if hold is None or not by_owner:
        return Refused("not_owner", "public" if hold is None else str(hold.owner))
    if hold.extensions >= policy.max_extensions:
        return Refused("no_extensions_left", str(policy.max_extensions))
    due = next_check_s(hold, policy)
    if now_s is not None and now_s >= due:
        return Refused("already_due", str(hold.owner))
    shield = due + policy.extension_days * DAY_S if policy.extension_resets == "all" else hold.protected_until_s
    return Extended(replace(hold, extensions=hold.extensions + 1, protected_until_s=shield))


def assign(
    hold: Hold | None,
    *,
    to: int,
    by_is_superior: bool,
    held_by_target: int,
    policy: PoolPolicy,
    now_s: float,
    stage: LeadStage = LeadStage.NEW,
) -> GrantedHold | Refused:
    """A superior gives the lead (held by another, or public: None) to BD `to` (C8).

    The target's quota holds here too (C6). Visits and a signed contract stay with the lead; extensions start anew.
    Refused with lead_closed, not_superior, already_owned (by the target itself) or quota_reached, in this order.
    """
    refused = closed(stage)
    if refused is not None:
        return refused
    if not by_is_superior:
        return Refused("not_superior")
    if hold is not None and hold.owner == to:
        return Refused("already_owned", str(to))
    if held_by_target >= policy.quota:
        return Refused("quota_reached", str(policy.quota))
    if hold is None:
        return GrantedHold(start(to, now_s))
    if policy.extension_resets == "all":
        return GrantedHold(Hold(to, now_s, hold.last_visit_s, hold.signed))
    return GrantedHold(Hold(to, hold.claimed_at_s, hold.last_visit_s, hold.signed, term_start_s=now_s))
