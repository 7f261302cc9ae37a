"""Promises about money: orders, ledger and payment provider tell one story, to the fen (A9, G11).

`payments.provider_fen` is what the provider really took (0 or null when it took nothing).
"""

from __future__ import annotations

from o2o_domain.ledger import PROVIDER_CLEARING
from o2o_domain.money import yuan
from o2o_domain.payments import PaymentState
from o2o_results.audit.evidence import NOT_TAKEN, Evidence, Finding, Promise, among

SETTLED = (PaymentState.PAID, PaymentState.REFUNDED, PaymentState.PART_REFUNDED)
"""States in which the platform says that money came."""


def order_totals(evidence: Evidence) -> Finding:
    """total = items - discount + delivery fee, items = sum of quantity x unit price, nothing negative."""
    return evidence.ask(
        f"select count(*) from orders where state not in {among(NOT_TAKEN)}",
        f"""
        with sums as (
            select *, list_sum([x.qty * x.unit_fen for x in items]) as listed_fen from orders
            where state not in {among(NOT_TAKEN)}
        )
        select format('order {{}}: items {{}} - discount {{}} + fee {{}} is not total {{}} (dishes sum to {{}})',
            order_id, items_fen, discount_fen, delivery_fee_fen, total_fen, coalesce(listed_fen::varchar, 'nothing'))
        from sums where total_fen <> items_fen - discount_fen + delivery_fee_fen
            or least(items_fen, discount_fen, delivery_fee_fen, total_fen) < 0
            or (listed_fen is not null and listed_fen <> items_fen) or (kind = 'order' and listed_fen is null)
        """,
    )


def paid_in_full(evidence: Evidence) -> Finding:
    """A paid order was paid its total, an unpaid one nothing; no refund exceeds what was paid."""
    return evidence.ask(
        "select count(*) from orders",
        """
        select format('order {} ({}): total {}, paid {}, refunded {} fen', order_id, state, total_fen, paid_fen,
            refunded_fen)
        from orders
        where (paid is not null and paid_fen <> total_fen) or (paid is null and paid_fen <> refunded_fen)
            or refunded_fen < 0 or refunded_fen > paid_fen
        """,
    )


def refunds(evidence: Evidence) -> Finding:
    """An order that was paid and then rejected, cancelled or closed got all its money back."""
    return evidence.ask(
        "select count(*) from orders where state in ('rejected', 'cancelled', 'closed', 'refunded') and paid_fen > 0",
        """
        select format('order {} is {} with {} of {} fen refunded', order_id, state, refunded_fen, paid_fen) from orders
        where state in ('rejected', 'cancelled', 'closed', 'refunded') and refunded_fen <> paid_fen
        """,
    )


def ledger_balanced(evidence: Evidence) -> Finding:
    """Each ledger transaction sums to 0."""
    return evidence.ask(
        "select count(distinct txn_id) from ledger",
        """select format('transaction {} sums to {} fen', txn_id, sum(amount_fen)) from ledger
        group by txn_id having sum(amount_fen) <> 0""",
    )


def ledger_orders(evidence: Evidence) -> Finding:
    """Per order: the ledger's money at the provider is paid - refunded."""
    return evidence.ask(
        "select count(*) from orders where paid_fen > 0",
        f"""
        with booked as (
            select order_id, sum(amount_fen) as fen from ledger
            where account = '{PROVIDER_CLEARING}' and order_id is not null group by order_id
        )
        select format('order {{}}: ledger holds {{}} fen at the provider, the order {{}} fen',
            coalesce(o.order_id, b.order_id), coalesce(b.fen, 0), coalesce(o.paid_fen - o.refunded_fen, 0))
        from orders o full join booked b using (order_id)
        where coalesce(b.fen, 0) <> coalesce(o.paid_fen - o.refunded_fen, 0)
        """,
    )


def provider_orders(evidence: Evidence) -> Finding:
    """Per order: what the provider took less what it gave back is paid - refunded. The totals stand in the detail."""
    sums = evidence.db.execute(
        f"""select
        (select coalesce(sum(coalesce(provider_fen, 0) - coalesce(provider_refunded_fen, 0)), 0) from payments),
        (select coalesce(sum(paid_fen - refunded_fen), 0) from orders),
        (select coalesce(sum(amount_fen), 0) from ledger where account = '{PROVIDER_CLEARING}')"""
    ).fetchone() or (0, 0, 0)
    return evidence.ask(
        "select count(*) from payments",
        """
        with taken as (
            select order_id, sum(coalesce(provider_fen, 0) - coalesce(provider_refunded_fen, 0)) as fen
            from payments group by order_id
        )
        select format('order {}: the provider holds {} fen, the order says {} fen', coalesce(o.order_id, t.order_id),
            coalesce(t.fen, 0), coalesce(o.paid_fen - o.refunded_fen, 0))
        from orders o full join taken t using (order_id)
        where coalesce(t.fen, 0) <> coalesce(o.paid_fen - o.refunded_fen, 0)
            and (o.order_id is null or o.terminal or o.paid is not null)
        """,
        detail=f"provider {yuan(sums[0])}, orders {yuan(sums[1])}, ledger {yuan(sums[2])}",
    )


def payment_sides(evidence: Evidence) -> Finding:
    """Per payment: the platform calls it paid exactly if the provider took its amount; refunds agree.

    Money that the provider took after the platform had given up must have been refunded by the time the order ended.
    """
    return evidence.ask(
        "select count(*) from payments",
        f"""
        select format(
            'payment {{}} of order {{}} is {{}} for {{}} fen; the provider says {{}}, took {{}}, refunded {{}} fen',
            p.payment_id, p.order_id, p.state, p.amount_fen, coalesce(p.provider_state, 'nothing'),
            coalesce(p.provider_fen, 0), coalesce(p.provider_refunded_fen, 0))
        from payments p left join orders o using (order_id)
        where o.order_id is null
            or (p.state in {among(SETTLED)} and coalesce(p.provider_fen, 0) <> p.amount_fen)
            or (p.state not in {among(SETTLED)} and o.terminal
                and coalesce(p.provider_fen, 0) <> coalesce(p.provider_refunded_fen, 0))
            or (p.state = 'refunded' and coalesce(p.provider_refunded_fen, 0) <> p.amount_fen)
            or (p.state = 'paid' and o.terminal and coalesce(p.provider_refunded_fen, 0) <> 0)
        """,
    )


def one_payment(evidence: Evidence) -> Finding:
    """A paid order has exactly one settled payment; an order that ended unpaid keeps none (late money went back)."""
    return evidence.ask(
        "select count(*) from orders where paid is not null",
        f"""
        with settled_payments as (
            select order_id, count(*) as n, count(*) filter (state = 'paid') as kept from payments
            where state in {among(SETTLED)} group by order_id
        )
        select format('order {{}} ({{}}) has {{}} settled payments', order_id, state, coalesce(n, 0))
        from orders left join settled_payments using (order_id)
        where (paid is not null and total_fen > 0 and coalesce(n, 0) <> 1)
            or (paid is null and terminal and coalesce(kept, 0) > 0)
        """,
    )


PROMISES = (
    Promise("money.order_totals", "Order total = items - discount + delivery fee", order_totals),
    Promise("money.paid_in_full", "Paid orders are paid in full, unpaid ones not at all", paid_in_full),
    Promise("money.refunds", "Rejected and cancelled orders got their money back", refunds),
    Promise("money.ledger_balanced", "Every ledger transaction sums to zero", ledger_balanced),
    Promise("money.ledger_orders", "Ledger = orders paid - refunded", ledger_orders),
    Promise("money.provider_orders", "Provider's money in - refunds = orders paid - refunded", provider_orders),
    Promise("money.payment_sides", "Platform and provider agree on every payment", payment_sides),
    Promise("money.one_payment", "A paid order has exactly one payment", one_payment),
)
