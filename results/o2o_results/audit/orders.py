"""Promises about orders: every intent is one row, in a legal state, with marks in order (A13).

Leaves tickets, money and stock to the modules beside it.
"""

from __future__ import annotations

import numpy as np

from o2o_results.audit.evidence import EXAMPLES, NOT_TAKEN, Evidence, Finding, Promise, among
from o2o_results.run import floats
from o2o_results.tables import LIFE_MARKS, MARKS

CHAINS = (MARKS, ("paid", *LIFE_MARKS), ("paid", "assigned", "picked_up"), ("intended", "paid", "closed"))
"""Marks that must not run backwards, where they are set."""


def one_row(evidence: Evidence) -> Finding:
    """Ids 0..n-1 each exactly once; n is the trace's length where the manifest notes it."""
    expected = evidence.intents if evidence.intents is not None else 0
    return evidence.ask(
        f"select greatest(count(*), {expected}) from orders",
        """
        select format('order {} has {} rows', order_id, count(*)) from orders group by order_id having count(*) > 1
        union all
        select format('intent {} has no row', i) from range((select greatest(coalesce(max(order_id) + 1, 0), $n)
            from orders)) as t(i) where i not in (select order_id from orders)
        union all
        select format('order {} is not of the trace', order_id) from orders
        where order_id < 0 or ($n > 0 and order_id >= $n)
        """,
        n=expected,
    )


def numbers_unique(evidence: Evidence) -> Finding:
    """No two orders share the number that stands on the ticket."""
    return evidence.ask(
        "select count(order_no) from orders",
        """select format('order number {} stands for orders {}', order_no, list_sort(list(order_id))::varchar)
        from orders where order_no is not null group by order_no having count(*) > 1""",
    )


def legal_state(evidence: Evidence) -> Finding:
    """Each state is one that the order's kind can reach (o2o_domain.orders), or `lost` or `not_sent`."""
    return evidence.ask(
        "select count(*) from orders",
        """select format('order {} ({}) is {}', order_id, kind, state) from orders anti join legal using (kind, state)
        where state not in ('lost', 'not_sent')""",
    )


def ended(evidence: Evidence) -> Finding:
    """`terminal` says what the domain says of the state; what is not terminal is counted as unfinished."""
    open_orders = evidence.count("select count(*) from orders where not terminal")
    lost = evidence.count("select count(*) from orders where state = 'lost'")
    unsent = evidence.count("select count(*) from orders where state = 'not_sent'")
    return evidence.ask(
        "select count(*) from orders",
        """select format('order {} is {} and terminal is {}', order_id, state, terminal)
        from orders join legal using (kind, state) where terminal <> settled""",
        detail=f"{open_orders} unfinished at the horizon, {lost} without an answer, {unsent} not sent",
    )


def marks_monotone(evidence: Evidence) -> Finding:
    """No mark lies before an earlier one of its chain (unset marks are skipped)."""
    orders = evidence.tables.get("orders")
    if orders is None or orders.num_rows == 0:
        return Finding(0, 0)
    ids = orders.column("order_id").to_numpy()
    bad = np.zeros(len(ids), dtype=bool)
    examples: list[str] = []
    for chain in CHAINS:
        latest = np.full(len(ids), -np.inf)
        for name in chain:
            mark = floats(orders, name)
            with np.errstate(invalid="ignore"):
                back = mark < latest - evidence.tolerance_s
            examples += [
                f"order {ids[row]}: {name} {mark[row]:.3f} s, but an earlier mark is {latest[row]:.3f} s"
                for row in np.flatnonzero(back & ~bad)[:EXAMPLES]
            ]
            bad |= back
            latest = np.fmax(latest, mark)
    return Finding(len(ids), int(bad.sum()), tuple(examples[:EXAMPLES]))


def state_has_marks(evidence: Evidence) -> Finding:
    """A state that says something happened has its mark, and none says it of what did not happen."""
    return evidence.ask(
        "select count(*) from orders",
        f"""
        with told as (
            select order_id, state,
                case
                    when state in ('paid', 'cooking', 'ready', 'picked_up', 'delivered', 'issued', 'redeemed')
                        and paid is null then 'has no paid mark'
                    when state in {among((*NOT_TAKEN, "pending_payment", "payment_failed"))} and paid is not null
                        then 'has a paid mark'
                    when state in ('ready', 'picked_up', 'delivered') and ready is null then 'has no ready mark'
                    when state in ('picked_up', 'delivered') and picked_up is null then 'has no picked_up mark'
                    when state in ('picked_up', 'delivered') and rider_id is null then 'has no rider'
                    when state = 'delivered' and delivered is null then 'has no delivered mark'
                    when state <> 'delivered' and delivered is not null then 'has a delivered mark'
                    when kind = 'deal' and printed is not null then 'is a deal and was printed'
                    when state not in {among(NOT_TAKEN)} and order_no is null then 'has no order number'
                end as what
            from orders
        )
        select format('order {{}} ({{}}) {{}}', order_id, state, what) from told where what is not null
        """,
    )


PROMISES = (
    Promise("orders.one_row", "Every intent is exactly one order row", one_row),
    Promise("orders.numbers_unique", "No two orders share a number", numbers_unique),
    Promise("orders.legal_state", "Every order is in a state its kind can reach", legal_state),
    Promise("orders.ended", "Every order has ended or is counted as unfinished", ended),
    Promise("orders.marks_monotone", "No mark lies before an earlier one", marks_monotone),
    Promise("orders.state_has_marks", "States and marks tell the same story", state_has_marks),
)
