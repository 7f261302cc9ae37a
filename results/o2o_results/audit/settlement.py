"""Promises about the ledger: it tells of each order, refund, wallet and payout what the other tables tell (A9).

Entries of orders carry the order; those of payouts and top-ups none. Money of another amount than due passes through
the ledger under reasons of its own (DISPUTED) and is no order's.
"""

from __future__ import annotations

from o2o_domain import ledger
from o2o_results.audit.evidence import Evidence, Finding, Promise, among
from o2o_results.audit.money import BY_BALANCE, LISTED

SOURCES = (ledger.PROVIDER_CLEARING, ledger.USER_BALANCES)
"""Accounts that an order is paid from."""
DISPUTED = ("disputed", "dispute_refunded")
PAYABLE, SETTLED = ledger.merchant_payable(0)[:-1], ledger.merchant_settled(0)[:-1]


def _of_order(account: str, sign: str = "") -> str:
    """SQL: the sum of an order's entries on an account, of one sign if asked for."""
    return f"coalesce(sum(amount_fen) filter ({account}{sign}), 0)"


def order_totals(evidence: Evidence) -> Finding:
    """What an order was paid and refunded, its items, discount and fee follow from its entries alone."""
    source = f"account in {among(SOURCES)} and (reason not in {among(DISPUTED)} or paid is null)"
    merchant = f"(starts_with(account, '{PAYABLE}') or account = '{ledger.PLATFORM_COMMISSION}')"
    first = "reason in ('paid', 'paid_late')"
    return evidence.ask(
        "select count(distinct order_id) from ledger where order_id is not null",
        f"""
        with told as (
            select order_id,
                {_of_order(source, " and amount_fen > 0")} as paid_in,
                -{_of_order(source, " and amount_fen < 0")} as back,
                count(*) filter ({first}) as entries,
                -{_of_order(merchant, f" and {first}")} as goods,
                {_of_order(f"account = '{ledger.COUPON_SUBSIDY}'", f" and {first}")} as discount,
                -{_of_order(f"account = '{ledger.DELIVERY_REVENUE}'", f" and {first}")} as fee
            from ledger join (select order_id, paid from orders) using (order_id) group by order_id
        )
        select format('order {{}}: the ledger says paid {{}}, refunded {{}}, items {{}}, discount {{}}, fee {{}} fen; '
            'the order {{}}, {{}}, {{}}, {{}}, {{}}', order_id, paid_in, back, goods, discount, fee,
            paid_fen, refunded_fen, items_fen, discount_fen, delivery_fee_fen)
        from orders left join told using (order_id)
        where paid_fen <> coalesce(paid_in, 0) or refunded_fen <> coalesce(back, 0)
            or (entries > 0 and (goods, discount, fee) <> (items_fen, discount_fen, delivery_fee_fen))
        """,
    )


def accounts(evidence: Evidence) -> Finding:
    """Nothing is left on an account that must be empty, and no class of accounts has the wrong sign.

    Disputed money was given back; an order that ended owes its merchant nothing that is still under way; what the
    platform earned is not negative, nor what it granted.
    """
    return evidence.ask(
        "select count(distinct account) from ledger",
        f"""
        with sums as (select account, sum(amount_fen) as fen from ledger group by account)
        select format('account {{}} stands at {{}} fen', account, fen) from sums
        where (account = '{ledger.DISPUTED_PAYMENTS}' and fen <> 0)
            or (account in {among((ledger.PLATFORM_COMMISSION, ledger.DELIVERY_REVENUE))} and fen > 0)
            or (starts_with(account, '{PAYABLE}') and fen > 0)
            or (account = '{ledger.COUPON_SUBSIDY}' and fen < 0)
        union all
        select format('order {{}} ({{}}): {{}} fen are still payable to the merchant', order_id, state,
            -sum(amount_fen))
        from ledger join orders using (order_id)
        where starts_with(account, '{PAYABLE}')
            and state in ('delivered', 'redeemed', 'rejected', 'cancelled', 'closed', 'refunded', 'payment_failed')
        group by order_id, state having sum(amount_fen) <> 0
        """,
    )


def refunds(evidence: Evidence) -> Finding:
    """Refunds in the ledger, in the table of refunds and at the provider are the same, order by order.

    The provider's side counts once the order has come to rest: a refund may be on its way.
    """
    return evidence.ask(
        "select count(*) from refunds",
        f"""
        with booked as (
            select order_id, -sum(amount_fen) as fen from ledger
            where account in {among(SOURCES)} and amount_fen < 0 and order_id is not null group by order_id
        ), owed as (
            select order_id, sum(fen) as fen, count(*) filter (done is null) as open from refunds
            where order_id is not null group by order_id
        ), given as (
            select order_id, sum(coalesce(provider_refunded_fen, 0)) as fen from payments
            where payment_id not in ({LISTED}) group by order_id
        )
        select format('order {{}}: refunds of {{}} fen in the ledger, {{}} owed, {{}} given by the provider', order_id,
            coalesce(b.fen, 0), coalesce(w.fen, 0), coalesce(g.fen, 0))
        from booked b full join owed w using (order_id) full join given g using (order_id)
        left join (select order_id, terminal from orders) o using (order_id)
        where coalesce(b.fen, 0) <> coalesce(w.fen, 0)
            or (coalesce(open, 0) = 0 and coalesce(o.terminal, true) and order_id not in ({BY_BALANCE})
                and g.order_id is not null and coalesce(g.fen, 0) <> coalesce(w.fen, 0))
        """,
    )


def payouts(evidence: Evidence) -> Finding:
    """Per merchant: paid out + still owed = order totals - refunds - commission - delivery fees + coupons (A9).

    Over delivered and redeemed orders; what was paid out is what the ledger says was paid out, and never more than was
    owed at the time, but for refunds after it.
    """
    ended = "state in ('delivered', 'redeemed')"
    return evidence.ask(
        f"select count(distinct merchant_id) from orders where {ended}",
        f"""
        with share as (
            select order_id,
                -{_of_order(f"account = '{ledger.PLATFORM_COMMISSION}'")} as commission,
                -{_of_order(f"account = '{ledger.DELIVERY_REVENUE}'")} as delivery,
                {_of_order(f"account = '{ledger.COUPON_SUBSIDY}'")} as subsidy
            from ledger where order_id is not null group by order_id
        ), earned as (
            select merchant_id, sum(paid_fen - refunded_fen - commission - delivery + subsidy) as fen
            from orders join share using (order_id) where {ended} group by merchant_id
        ), booked as (
            select split_part(account, ':', 2)::int as merchant_id, -sum(amount_fen) as owed,
                {_of_order("reason = 'paid_out'")} as out
            from ledger where starts_with(account, '{SETTLED}') group by 1
        ), paid as (select merchant_id, sum(amount_fen) as fen from payouts group by merchant_id)
        select format('merchant {{}}: earned {{}}, paid out {{}} (the ledger says {{}}), still owed {{}} fen',
            merchant_id, coalesce(e.fen, 0), coalesce(p.fen, 0), coalesce(b.out, 0), coalesce(b.owed, 0))
        from earned e full join booked b using (merchant_id) full join paid p using (merchant_id)
        where coalesce(p.fen, 0) <> coalesce(b.out, 0) or coalesce(e.fen, 0) <> coalesce(p.fen, 0) + coalesce(b.owed, 0)
        """,
    )


def wallets(evidence: Evidence) -> Finding:
    """What is in the wallets is what came in from outside less what orders took, by the ledger."""
    return evidence.ask(
        "select count(*) from wallets",
        f"""
        with held as (
            select coalesce(sum(balance_fen + held_fen), 0) as fen, coalesce(sum(topped_up_fen), 0) as came from wallets
        ), spent as (
            select coalesce(sum(amount_fen), 0) as fen from ledger
            where account = '{ledger.USER_BALANCES}' and order_id is not null
        )
        select format('wallets hold {{}} fen; {{}} fen came in and the ledger says {{}} were spent', held.fen, came,
            spent.fen)
        from held, spent where held.fen <> came - spent.fen
        """,
    )


PROMISES = (
    Promise("ledger.order_totals", "Order totals follow from the ledger's entries", order_totals),
    Promise("ledger.accounts", "Every class of accounts stands as it must", accounts),
    Promise("ledger.refunds", "Refunds: ledger, demands and provider agree", refunds),
    Promise("ledger.payouts", "Payouts = order totals - commission - refunds", payouts),
    Promise("ledger.wallets", "Wallets hold what the ledger says", wallets),
)
