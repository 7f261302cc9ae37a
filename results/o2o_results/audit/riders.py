"""Promises about riders: one order in hand at a time, and only riders that exist."""

from __future__ import annotations

from o2o_results.audit.evidence import Evidence, Finding, Promise


def one_order(evidence: Evidence) -> Finding:
    """The times [assigned, delivered or closed] of one rider's orders do not overlap (no bundling yet)."""
    return evidence.ask(
        "select count(*) from orders where rider_id is not null and assigned is not null",
        """
        with held as (
            select rider_id, order_id, assigned, coalesce(delivered, closed, $horizon) as until from orders
            where rider_id is not null and assigned is not null
        ), next as (
            select *, lag(order_id) over w as before,
                max(until) over (w rows between unbounded preceding and 1 preceding) as busy
            from held window w as (partition by rider_id order by assigned, until, order_id)
        )
        select format('rider {} was given order {} at {:.1f} s and had order {} until {:.1f} s', rider_id, order_id,
            assigned, before, busy)
        from next where assigned < busy - $slack
        """,
        horizon=evidence.end(),
        slack=evidence.tolerance_s,
    )


def on_shift(evidence: Evidence) -> Finding:
    """An order goes to a rider of the run who is at work when it is assigned."""
    return evidence.ask(
        "select count(*) from orders where rider_id is not null and assigned is not null",
        """
        select format('order {} was given to rider {} at {:.1f} s, who {}', order_id, o.rider_id, assigned,
            case when r.rider_id is null then 'does not exist'
                else format('works from {:.1f} to {:.1f} s', r."on", r.off) end)
        from orders o left join riders r using (rider_id)
        where o.rider_id is not null and o.assigned is not null
            and (r.rider_id is null or o.assigned < r."on" - $slack or o.assigned > r.off + $slack)
        """,
        slack=max(evidence.tolerance_s, 1.0) if evidence.live else evidence.tolerance_s,
    )


PROMISES = (
    Promise("riders.one_order", "A rider carries one order at a time", one_order),
    Promise("riders.on_shift", "Orders go to riders who are at work", on_shift),
)
