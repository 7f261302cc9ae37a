"""Promises about leads (C1, C6-C8): the append-only history is replayed through the rules of o2o_domain.pools.

Decides nothing about pools itself: what a claim, a visit, an extension or an assignment does to a hold, and when it is
due to drop, is asked of the domain. A signed lead leaves the pools.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from o2o_domain import pools as rules
from o2o_domain.leads import LeadStage
from o2o_domain.pools import Hold, PoolPolicy
from o2o_results.audit.evidence import EXAMPLES, Evidence, Finding, Promise, among

LIVE_GRACE_S = 120.0
"""Live, leads are recycled from time to time, not at the instant that they are due."""


@dataclass
class _Replay:
    """Holds and counts after the events so far, and what was wrong on the way, by promise."""

    policy: PoolPolicy | None
    grace_s: float
    holds: dict[int, Hold] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    owners: list[str] = field(default_factory=list)
    quota: list[str] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    drops_checked: int = 0

    def apply(self, event: dict[str, Any]) -> None:
        lead, what, owner, at = event["lead_id"], event["what"], event["owner"], event["at"]
        before = self.holds.get(lead)
        place = f"lead {lead} at {at:.1f} s ({what})"
        if before is not None and self.policy is not None and what != "dropped":
            late = rules.drop_due(before, self.policy, at - self.grace_s)
            if late is not None:
                self.drops.append(f"{place}: should have dropped at {late.due_s:.1f} s ({late.reason})")
        if what in ("claimed", "created"):
            if before is not None:
                self.owners.append(f"{place}: {before.owner} already owns it")
            if what == "claimed" and (owner is None or event["actor"] not in (None, owner)):
                self.owners.append(f"{place}: claimed by {event['actor']} and owned by {owner}")
            self._set(lead, None if owner is None else rules.start(owner, at))
        elif what in ("visited", "extended", "signed"):
            if before is None or before.owner != owner or event["actor"] not in (None, before.owner):
                has = "nobody" if before is None else before.owner
                self.owners.append(f"{place}: by {event['actor']} for {owner}, but {has} owns it")
            elif what == "visited":
                self._set(lead, rules.visited(before, at))
            elif what == "extended":
                self._extend(lead, before, at, place)
            else:
                self._set(lead, None)
        elif what == "assigned":
            self._assign(lead, before, owner, at, place)
        elif what in ("dropped", "released"):
            if before is None or owner is not None:
                self.owners.append(f"{place}: nobody owned it" if before is None else f"{place}: {owner} still owns it")
            if what == "dropped" and before is not None:
                self._drop(before, event, place)
            self._set(lead, None)
        else:
            self.owners.append(f"{place}: not an event of a lead")
        counted = owner if owner is not None else (before.owner if before else None)
        if counted is not None:
            number = self.held.get(counted, 0)
            if self.policy is not None and number > self.policy.quota:
                self.quota.append(f"{place}: {counted} holds {number} leads, the quota is {self.policy.quota}")
            if event["owned"] != number:
                self.quota.append(
                    f"{place}: the history says {counted} holds {event['owned']}, its events say {number}"
                )

    def _set(self, lead: int, hold: Hold | None) -> None:
        before = self.holds.pop(lead, None)
        if before is not None:
            self.held[before.owner] -= 1
        if hold is not None:
            self.holds[lead] = hold
            self.held[hold.owner] = self.held.get(hold.owner, 0) + 1

    def _extend(self, lead: int, before: Hold, at: float, place: str) -> None:
        if self.policy is None:
            return
        after = rules.extend(before, self.policy, True, now_s=at - self.grace_s)
        if isinstance(after, rules.Extended):
            self._set(lead, after.hold)
        else:
            self.drops.append(f"{place}: {after.code}")

    def _assign(self, lead: int, before: Hold | None, owner: int | None, at: float, place: str) -> None:
        if owner is None:
            self.owners.append(f"{place}: assigned to nobody")
            return
        # The quota is counted for every event; here the rule is asked only what the assignment makes of the clocks.
        policy = self.policy or PoolPolicy()
        after = rules.assign(before, to=owner, by_is_superior=True, held_by_target=-1, policy=policy, now_s=at)
        if isinstance(after, rules.GrantedHold):
            self._set(lead, after.hold)
        else:
            self.owners.append(f"{place}: {after.code}")

    def _drop(self, before: Hold, event: dict[str, Any], place: str) -> None:
        self.drops_checked += 1
        if self.policy is None:
            return
        due = rules.drop_due(before, self.policy, event["at"] + 1e-6)
        if due is None:
            first = rules.next_check_s(before, self.policy)
            self.drops.append(f"{place}: dropped before it was due at {first:.1f} s")
        elif event["reason"] not in (None, due.reason):
            self.drops.append(f"{place}: dropped for {event['reason']}, but it was {due.reason}")
        elif event["at"] > due.due_s + self.grace_s:
            self.drops.append(f"{place}: was due at {due.due_s:.1f} s")


def _events(evidence: Evidence) -> Iterator[dict[str, Any]]:
    table = evidence.tables.get("lead_events")
    if table is not None and table.num_rows:
        yield from table.sort_by("event_id").to_pylist()


def _replay(evidence: Evidence) -> _Replay:
    """The replayed history; kept in the evidence, as three promises look at it."""
    known = evidence.memo.get("leads")
    if isinstance(known, _Replay):
        return known
    policy = PoolPolicy(**evidence.scenario.crm.pool.model_dump()) if evidence.scenario else None
    replay = _Replay(policy, LIVE_GRACE_S if evidence.live else 1e-3)
    for event in _events(evidence):
        replay.apply(event)
    evidence.memo["leads"] = replay
    return replay


def _finding(checked: int, told: list[str], detail: str = "") -> Finding:
    return Finding(checked, len(told), tuple(told[:EXAMPLES]), detail)


def one_owner(evidence: Evidence) -> Finding:
    """Only a lead in the public pool is claimed, only its owner works on it, and the end agrees with the history."""
    replay = _replay(evidence)
    told = list(replay.owners)
    leads = evidence.tables.get("leads")
    rows = leads.select(["lead_id", "owner", "stage"]).to_pylist() if leads is not None else []
    for row in rows:
        hold = replay.holds.get(row["lead_id"])
        if row["owner"] != (hold.owner if hold else None) and row["stage"] != LeadStage.SIGNED:
            told.append(f"lead {row['lead_id']}: owner {row['owner']}, its history says {hold.owner if hold else None}")
    return _finding(len(rows), told)


def quota(evidence: Evidence) -> Finding:
    """At no event does anyone hold more leads than the quota, and the history's own counts are right (C6)."""
    replay = _replay(evidence)
    events = evidence.count("select count(*) from lead_events")
    return _finding(events, replay.quota, f"{len(replay.held)} owners")


def drops(evidence: Evidence) -> Finding:
    """A lead drops when the first of its clocks is due: not before, not later, for the right reason (C7, C8).

    Needs the scenario's pool policy; leads still held at the horizon must not be overdue.
    """
    replay = _replay(evidence)
    told = list(replay.drops)
    if replay.policy is not None:
        for lead, hold in sorted(replay.holds.items()):
            due = rules.drop_due(hold, replay.policy, evidence.lead_end() - replay.grace_s)
            if due is not None:
                told.append(f"lead {lead}: was due at {due.due_s:.1f} s ({due.reason}) and is held by {hold.owner}")
    return _finding(replay.drops_checked + len(replay.holds), told, f"{replay.drops_checked} drops replayed")


def counts(evidence: Evidence) -> Finding:
    """Claims, drops, visits and signatures of each lead are those of its history; a signed lead was visited (C1)."""
    return evidence.ask(
        "select count(*) from leads",
        f"""
        with told as (
            select lead_id, count(*) filter (what = 'claimed') as claims, count(*) filter (what = 'dropped') as drops,
                count(*) filter (what = 'visited') as visits, count(*) filter (what = 'signed') as signatures
            from lead_events group by lead_id
        ), seen as (select lead_id, count(*) as n from visits group by lead_id)
        select format(
            'lead {{}} ({{}}): {{}} claims, {{}} drops, {{}} visits; history {{}}, {{}}, {{}} and {{}} signatures',
            l.lead_id, l.stage, l.claims, l.drops, l.visits, coalesce(t.claims, 0), coalesce(t.drops, 0),
            coalesce(t.visits, 0), coalesce(t.signatures, 0))
        from leads l left join told t using (lead_id) left join seen s using (lead_id)
        where l.stage not in {among(LeadStage)} or l.claims <> coalesce(t.claims, 0)
            or l.drops <> coalesce(t.drops, 0) or l.visits <> coalesce(t.visits, 0) or l.visits <> coalesce(s.n, 0)
            or (l.stage = 'signed') <> (coalesce(t.signatures, 0) = 1) or (l.stage = 'signed' and l.visits < 1)
            or (l.stage = 'signed') <> (l.signed is not null)
        """,
    )


PROMISES = (
    Promise("leads.one_owner", "A lead has one owner at a time, and its history says who", one_owner),
    Promise("leads.quota", "Nobody ever holds more leads than the quota", quota),
    Promise("leads.drops", "Leads drop when they are due, and only then", drops),
    Promise("leads.counts", "Claims, visits, drops and signatures equal the history", counts),
)
