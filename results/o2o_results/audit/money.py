"""Promises about money: orders, ledger and payment provider tell one story, to the fen (A9, G11).

`payments.provider_fen` is what the provider really took (0 or null when it took nothing). Money of wallets is no
provider's: what it is is compared in `settlement`, with the rest of the ledger.
"""

from __future__ import annotations

from o2o_domain.ledger import PROVIDER_CLEARING, USER_BALANCES
from o2o_domain.money import yuan
from o2o_domain.payments import PaymentState
from o2o_results.audit.evidence import NOT_TAKEN, Evidence, Finding, Promise, among

SETTLED = (PaymentState.PAID, PaymentState.REFUNDED, PaymentState.PART_REFUNDED)
"""States in which the platform says that money came."""
TAKEN_FEN = f"coalesce(taken_fen, case when state in {among(SETTLED)} then amount_fen else 0 end)"
"""What the platform's books say was taken for a payment."""
REFUND_FEN = "coalesce(refund_fen, case when state = 'refunded' then amount_fen else 0 end)"
"""What the platform's books say is owed back of a payment."""
AT_PROVIDER = "coalesce(provider_fen, 0) - coalesce(provider_refunded_fen, 0)"
BY_BALANCE = "select order_id from payments where method = 'balance'"
LISTED = "select payment_id from reconciliations where repaired is null"
"""Payments whose difference is listed for people."""


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
    """Per order: the ledger's money at the provider, or out of the wallet, is paid - refunded."""
    return evidence.ask(
        "select count(*) from orders where paid_fen > 0",
        f"""
        with booked as (
            select order_id, sum(amount_fen) as fen from ledger
            where account in ('{PROVIDER_CLEARING}', '{USER_BALANCES}') and order_id is not null group by order_id
        )
        select format('order {{}}: the ledger holds {{}} fen of it, the order {{}} fen',
            coalesce(o.order_id, b.order_id), coalesce(b.fen, 0), coalesce(o.paid_fen - o.refunded_fen, 0))
        from orders o full join booked b using (order_id)
        where coalesce(b.fen, 0) <> coalesce(o.paid_fen - o.refunded_fen, 0)
        """,
    )


def provider_orders(evidence: Evidence) -> Finding:
    """Per order: what the provider took less what it gave back is paid - refunded. The totals stand in the detail."""
    sums = evidence.db.execute(
        f"""select
        (select coalesce(sum({AT_PROVIDER}), 0) from payments),
        (select coalesce(sum(paid_fen - refunded_fen), 0) from orders where order_id not in ({BY_BALANCE})),
        (select coalesce(sum(amount_fen), 0) from ledger where account = '{PROVIDER_CLEARING}' and reason <> 'paid_out')
        """
    ).fetchone() or (0, 0, 0)
    return evidence.ask(
        "select count(*) from payments where method is distinct from 'balance'",
        f"""
        with taken as (select order_id, sum({AT_PROVIDER}) as fen from payments group by order_id),
        told as (
            select order_id, terminal, paid, case when order_id in ({BY_BALANCE}) then 0 else paid_fen - refunded_fen
                end as fen from orders
        )
        select format('order {{}}: the provider holds {{}} fen, the order says {{}} fen',
            coalesce(o.order_id, t.order_id), coalesce(t.fen, 0), coalesce(o.fen, 0))
        from told o full join taken t using (order_id)
        where coalesce(t.fen, 0) <> coalesce(o.fen, 0) and (o.order_id is null or o.terminal or o.paid is not null)
            and coalesce(o.order_id, t.order_id) not in (select order_id from payments where payment_id in ({LISTED}))
        """,
        detail=f"provider {yuan(sums[0])}, orders {yuan(sums[1])}, ledger {yuan(sums[2])}",
    )


def payment_sides(evidence: Evidence) -> Finding:
    """Per payment: the platform calls it paid exactly if the provider took so much; refunds agree.

    Money that the provider took after the platform had given up must have been refunded by the time the order ended.
    """
    return evidence.ask(
        "select count(*) from payments",
        f"""
        with sides as (
            select *, {TAKEN_FEN} as ours, {REFUND_FEN} as owed, coalesce(provider_fen, 0) as theirs,
                coalesce(provider_refunded_fen, 0) as given from payments
            where method is distinct from 'balance' and payment_id not in ({LISTED})
        )
        select format(
            'payment {{}} of order {{}} is {{}} for {{}} fen; the provider says {{}}, took {{}}, refunded {{}} fen',
            p.payment_id, p.order_id, p.state, p.ours, coalesce(p.provider_state, 'nothing'), p.theirs, p.given)
        from sides p left join orders o using (order_id)
        where o.order_id is null
            or (p.state in {among(SETTLED)} and p.theirs <> p.ours)
            or (p.state not in {among(SETTLED)} and o.terminal and p.theirs <> p.given)
            or (p.state = 'refunded' and p.given <> p.ours)
            or (p.state in ('paid', 'part_refunded') and o.terminal and p.given <> p.owed)
            or (p.state = 'paid' and p.owed <> greatest(p.ours - p.amount_fen, 0))
        """,
    )


def paid_unordered(evidence: Evidence) -> Finding:
    """The provider keeps no money of an order that is not paid (G11).

    An order that still waits is none while its callback may be on its way: until the deadline of payment, or, without
    a scenario, not at all.
    """
    patience_s = evidence.scenario.platform.payment.deadline_s if evidence.scenario else 0.0
    return evidence.ask(
        f"select count(*) from payments where {AT_PROVIDER} > 0",
        f"""
        select format('payment {{}} of order {{}} ({{}}): the provider keeps {{}} fen, and the order is not paid',
            payment_id, coalesce(p.order_id::varchar, 'unknown'), coalesce(o.state, 'unknown'), {AT_PROVIDER})
        from payments p left join orders o using (order_id)
        where {AT_PROVIDER} > 0 and o.paid is null
            and (o.order_id is null or o.terminal or p.requested + $patience_s <= $end)
        """,
        patience_s=patience_s,
        end=evidence.end(),
    )


def charged_once(evidence: Evidence) -> Finding:
    """Nobody keeps more of an order's money than its total, whatever was charged how often (G11)."""
    return evidence.ask(
        "select count(*) from orders where paid is not null",
        f"""
        with kept as (
            select order_id, count(*) filter (provider_fen > 0) as charges, sum({AT_PROVIDER}) as fen
            from payments group by order_id
        )
        select format('order {{}}: {{}} charges, {{}} fen kept of {{}} fen', o.order_id, charges, fen, total_fen)
        from orders o join kept using (order_id)
        where o.paid is not null and (fen > total_fen or (fen > 0 and order_id in ({BY_BALANCE})))
        """,
    )


def disputes(evidence: Evidence) -> Finding:
    """A payment of another amount than due was given back whole, or is listed; what is listed stands in the detail."""
    told = evidence.count("select count(*) from payments where disputed is not null")
    listed = evidence.count(f"select count(*) from ({LISTED})")
    return evidence.ask(
        "select count(*) from payments",
        f"""
        select format('payment {{}} of order {{}}: {{}} fen taken instead of {{}}, {{}} given back, and not listed',
            payment_id, order_id, coalesce(provider_fen, 0), amount_fen, coalesce(provider_refunded_fen, 0))
        from payments where payment_id not in ({LISTED}) and coalesce(provider_fen, 0) not in (0, amount_fen)
            and ({AT_PROVIDER} not in (0, amount_fen) or disputed is null)
        """,
        detail=f"{told} of another amount than due, {listed} listed for people",
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
    Promise("money.paid_unordered", "The provider keeps no money of an unpaid order", paid_unordered),
    Promise("money.charged_once", "No order is charged twice", charged_once),
    Promise("money.disputes", "Wrong amounts went back whole or are listed", disputes),
)
