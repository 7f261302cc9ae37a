"""Promises about tickets (A14): one first copy for each paid order, none for an unpaid one, nothing stuck unseen."""

from __future__ import annotations

from o2o_domain.tickets import TicketState
from o2o_results.audit.evidence import Evidence, Finding, Promise, among

GRACE_S = 5.0
"""Time a platform may take to notice that a ticket has passed its deadline."""


def one_first_copy(evidence: Evidence) -> Finding:
    """A committed takeout order has exactly one ticket with copy_no 1; a paid one that ended was committed."""
    return evidence.ask(
        "select count(*) from orders where kind = 'order' and paid is not null",
        """
        with first as (select order_id, count(*) as n from tickets where copy_no = 1 group by order_id)
        select format('order {} has {} first-copy tickets', order_id, coalesce(n, 0))
        from orders left join first using (order_id)
        where kind = 'order' and paid is not null and coalesce(n, 0) <> 1
            and (committed is not null or terminal or coalesce(n, 0) > 1)
        """,
    )


def none_unpaid(evidence: Evidence) -> Finding:
    """Every ticket, and every piece of paper with a readable number, belongs to a paid takeout order."""
    return evidence.ask(
        "select (select count(*) from tickets) + (select count(order_no) from receipts)",
        """
        select format('ticket {} is for order {}, which {}', t.ticket_id, t.order_id,
            case when o.order_id is null then 'does not exist' when o.kind <> 'order' then 'is a deal'
                else 'is not paid' end)
        from tickets t left join orders o using (order_id) where o.paid is null or o.kind <> 'order'
        union all
        select format('receipt {} shows order number {}, which {}', r.receipt_id, r.order_no,
            case when o.order_id is null then 'does not exist' else 'is not paid' end)
        from receipts r left join orders o using (order_no) where r.order_no is not null and o.paid is null
        """,
    )


def on_paper_or_visible(evidence: Evidence) -> Finding:
    """By its deadline a first copy is printed, or failed, or unconfirmed, or escalated to somebody.

    The deadline is the scenario's `printing.deadline_s` (run seconds) plus GRACE_S; tickets queued too shortly before
    the horizon to have reached it are not violations. Without a scenario only what is still open at the end counts.
    """
    deadline = evidence.scenario.printing.deadline_s + GRACE_S if evidence.scenario else 1e300
    counts = evidence.db.execute(
        "select count(*) filter (state = 'printed'), count(*) filter (state = 'failed'), "
        "count(*) filter (state = 'unconfirmed'), count(*) filter (escalation is not null) from tickets "
        "where copy_no = 1"
    ).fetchone() or (0, 0, 0, 0)
    return evidence.ask(
        "select count(*) from tickets where copy_no = 1",
        """
        select format('ticket {} of order {} is {} and nobody was told ({:.1f} s after it was queued)', ticket_id,
            order_id, state, coalesce(printed, $horizon) - queued)
        from tickets where copy_no = 1 and escalation is null and state not in ('failed', 'unconfirmed')
            and coalesce(printed, $horizon) - queued > $deadline
        """,
        detail=f"{counts[0]} printed, {counts[1]} failed, {counts[2]} unconfirmed, {counts[3]} escalated",
        horizon=evidence.end(),
        deadline=deadline,
    )


def consistent(evidence: Evidence) -> Finding:
    """States are legal and agree with marks, copies are numbered once, and orders carry their first copy's marks."""
    return evidence.ask(
        "select count(*) from tickets",
        f"""
        with told as (
            select t.ticket_id, t.state, case
                when t.state not in {among(TicketState)} then 'is in no known state'
                when t.state = 'printed' and t.printed is null then 'has no printed mark'
                when t.state <> 'printed' and t.printed is not null then 'has a printed mark'
                when t.state = 'printed' and t.attempts < 1 then 'was printed without an attempt'
                when t.state = 'failed' and t.code is null then 'failed without a code'
                when t.copy_no < 1 then 'has a copy number below 1'
                when count(*) over (partition by t.order_id, t.copy_no) > 1 then 'shares its copy number'
                when t.claimed < t.queued - $slack or t.rendered < t.claimed - $slack
                    or t.delivered_to_printer < t.rendered - $slack or t.printed < t.delivered_to_printer - $slack
                    then 'has marks that run backwards'
                when t.copy_no = 1 and o.kind = 'order' and (o.printed is distinct from t.printed)
                    and (o.printed is null or t.printed is null or abs(o.printed - t.printed) > $slack)
                    then 'and its order differ in when it was printed'
                when o.order_id is not null and t.merchant_id <> o.merchant_id then 'is for another merchant'
            end as what
            from tickets t left join orders o using (order_id)
        )
        select format('ticket {{}} ({{}}) {{}}', ticket_id, state, what) from told where what is not null
        """,
        slack=evidence.tolerance_s,
    )


PROMISES = (
    Promise("tickets.one_first_copy", "Every paid order has exactly one first-copy ticket", one_first_copy),
    Promise("tickets.none_unpaid", "No ticket and no paper for an unpaid order", none_unpaid),
    Promise("tickets.on_paper_or_visible", "On paper by the deadline, or visibly not", on_paper_or_visible),
    Promise("tickets.consistent", "Tickets are consistent in themselves and with their orders", consistent),
)
