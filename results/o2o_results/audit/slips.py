"""Promises about slips written by hand (A14: the phone's and the app's age), where no printer prints.

A wrong slip is no violation: people miswrite, the platform cannot know, and the report counts it. A promise is that
each order comes to one slip or is visibly lost, and that nobody writes where a machine prints.
"""

from __future__ import annotations

from o2o_domain.notification import Age
from o2o_domain.notification import by_hand as hand_writes
from o2o_results.audit.evidence import Evidence, Finding, Promise


def by_hand(evidence: Evidence) -> bool:
    """Whether slips are written by hand in this run."""
    return evidence.scenario is not None and hand_writes(Age(evidence.scenario.printing.age))


def one_per_ticket(evidence: Evidence) -> Finding:
    """By hand, a printed ticket has one slip, in the kitchen when the ticket says; any other ticket has none."""
    if not by_hand(evidence):
        return Finding(0, 0)
    lost = evidence.count("select count(*) from tickets where state = 'unconfirmed'")
    return evidence.ask(
        "select count(*) from tickets",
        """
        with slips as (
            select order_id, count(*) as n, max(known) as known from notifications where slip is not null group by all
        )
        select format('ticket {} of order {} ({}) has {} slips{}', ticket_id, order_id, state, coalesce(n, 0),
            case when n = 1 and abs(known - printed) > $slack then ', at another time' else '' end)
        from tickets left join slips using (order_id)
        where coalesce(n, 0) <> (state = 'printed')::int or abs(known - printed) > $slack
        """,
        detail=f"{lost} slips never reached the kitchen" if lost else "",
        slack=evidence.tolerance_s,
    )


def only_by_hand(evidence: Evidence) -> Finding:
    """No slip where a machine prints, no printer's paper where hands write, and notes of the run's own age only."""
    if evidence.scenario is None:
        return Finding(0, 0)
    return evidence.ask(
        "select count(*) from notifications",
        """
        select format('order {}: a hand-written slip in the age {}', order_id, $age) from notifications
        where slip is not null and not $hand
        union all
        select format('order {}: notified as in the age {}', order_id, age) from notifications where age <> $age
        union all
        select format('receipt {}: a printer printed in the age {}', receipt_id, $age) from receipts where $hand
        """,
        age=evidence.scenario.printing.age,
        hand=by_hand(evidence),
    )


def notes_sound(evidence: Evidence) -> Finding:
    """Each note is the only one of a paid takeout order, nobody worked less than nothing, and times do not run back."""
    return evidence.ask(
        "select count(*) from notifications",
        """
        with told as (
            select n.order_id, case
                when o.order_id is null or o.kind <> 'order' or o.paid is null then 'is no paid takeout order'
                when o.merchant_id <> n.merchant_id then 'is of another merchant'
                when count(*) over (partition by n.order_id) > 1 then 'has several notes'
                when n.staff_s < 0 or n.caller_s < 0 or n.attempts < 0 then 'took less than nothing'
                when n.told < o.paid - $slack or n.noticed < n.told - $slack or n.known < n.noticed - $slack
                    then 'has times that run backwards'
            end as what
            from notifications n left join orders o using (order_id)
        )
        select format('order {} {}', order_id, what) from told where what is not null
        """,
        slack=evidence.tolerance_s,
    )


PROMISES = (
    Promise("slips.one_per_ticket", "Written by hand: one slip in the kitchen, or visibly lost", one_per_ticket),
    Promise("slips.only_by_hand", "Nobody writes where a machine prints, and the reverse", only_by_hand),
    Promise("slips.notes_sound", "What people did about an order is one sound note", notes_sound),
)
