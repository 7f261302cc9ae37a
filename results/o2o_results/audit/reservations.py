"""Promises about reservations: what the fences of an order say is what became of it, in every sum (W10).

Decides what the branches of an order must say when it waits, is paid, or ended unpaid. A paid order that was given back
later keeps its confirmed fences: its goods came back as those of a paid order. A run that wrote down no fences (it is
older than they are) is not checked.
"""

from __future__ import annotations

from o2o_domain.tcc import Branch, Fence
from o2o_results.audit.evidence import GIVEN_BACK, NOT_TAKEN, Evidence, Finding, Promise, among

BY_BALANCE = "select order_id from payments where method = 'balance'"
BACK = f"(f.state = '{Fence.CANCELLED}' or o.state in {among(GIVEN_BACK)})"
"""Whether what a branch held for order o is back, one way or the other."""


def _unknown(evidence: Evidence) -> bool:
    """Whether the run wrote down no fences at all."""
    return evidence.count("select count(*) from reservations") == 0


def no_mixed(evidence: Evidence) -> Finding:
    """All branches of an order say the same, each once: it is reserved whole, or not at all."""
    return evidence.ask(
        "select count(distinct order_id) from reservations",
        """
        select format('order {}: {}', order_id, string_agg(branch || ' ' || state, ', ' order by branch))
        from reservations group by order_id having count(distinct state) > 1 or count(distinct branch) < count(*)
        """,
    )


def branches(evidence: Evidence) -> Finding:
    """An order has exactly the branches that it uses: stock, its coupon if one applied, the wallet if that pays."""
    if _unknown(evidence):
        return Finding(0, 0)
    return evidence.ask(
        f"select count(*) from orders where state not in {among(NOT_TAKEN)}",
        f"""
        with used as (
            select order_id, '{Branch.STOCK}' as branch from orders
            where kind = 'order' and state not in {among(NOT_TAKEN)}
            union all
            select order_id, '{Branch.COUPON}' from orders
            where coupon_code is not null and state not in {among(NOT_TAKEN)}
            union all
            select order_id, '{Branch.BALANCE}' from ({BY_BALANCE})
        )
        select format('order {{}}: branch {{}} {{}}', coalesce(u.order_id, r.order_id), coalesce(u.branch, r.branch),
            case when r.order_id is null then 'was used and not reserved' else 'was reserved and not used' end)
        from used u full join reservations r on r.order_id = u.order_id and r.branch = u.branch
        where u.order_id is null or r.order_id is null
        """,
    )


def told_the_same(evidence: Evidence) -> Finding:
    """Every paid order's fences are confirmed, every ended unpaid order's cancelled, a waiting order's tried."""
    return evidence.ask(
        "select count(*) from reservations",
        f"""
        with told as (
            select order_id, state, case when paid is not null then '{Fence.CONFIRMED}'
                when terminal then '{Fence.CANCELLED}' else '{Fence.TRIED}' end as wanted from orders
        )
        select format('order {{}} ({{}}): {{}} is {{}}', r.order_id, coalesce(t.state, 'unknown'), r.branch, r.state)
        from reservations r left join told t using (order_id)
        where t.order_id is null or r.state <> t.wanted
        """,
    )


def stock_sums(evidence: Evidence) -> Finding:
    """Per dish: pieces reserved are those of the orders with a stock fence, pieces returned those that came back."""
    if _unknown(evidence):
        return Finding(0, 0)
    return evidence.ask(
        "select count(*) from stock",
        f"""
        with pieces as (
            select unnest(o.items, recursive := true), {BACK} as back
            from orders o join reservations f on f.order_id = o.order_id and f.branch = '{Branch.STOCK}'
        ), told as (
            select dish_id, sum(qty) as reserved, coalesce(sum(qty) filter (back), 0) as returned
            from pieces group by dish_id
        )
        select format('dish {{}}: {{}} reserved and {{}} returned, the fences say {{}} and {{}}', s.dish_id, s.reserved,
            s.returned, coalesce(t.reserved, 0), coalesce(t.returned, 0))
        from stock s left join told t using (dish_id)
        where s.reserved <> coalesce(t.reserved, 0) or s.returned <> coalesce(t.returned, 0)
        """,
    )


def coupon_sums(evidence: Evidence) -> Finding:
    """Per coupon: what stands redeemed is what the fences of orders that kept it hold."""
    if _unknown(evidence):
        return Finding(0, 0)
    return evidence.ask(
        "select count(*) from coupons",
        f"""
        with told as (
            select o.coupon_code as code, count(*) as n, sum(o.discount_fen) as fen
            from orders o join reservations f on f.order_id = o.order_id and f.branch = '{Branch.COUPON}'
            where not {BACK} group by all
        )
        select format('coupon {{}}: {{}} redeemed for {{}} fen, the fences say {{}} for {{}} fen', c.code, c.redeemed,
            c.redeemed_fen, coalesce(t.n, 0), coalesce(t.fen, 0))
        from coupons c left join told t using (code)
        where c.redeemed <> coalesce(t.n, 0) or c.redeemed_fen <> coalesce(t.fen, 0)
        """,
    )


def wallet_sums(evidence: Evidence) -> Finding:
    """Per wallet: held is what is tried, and what came in less held and spent is what is left."""
    return evidence.ask(
        "select count(*) from wallets",
        f"""
        with told as (
            select o.user_id, coalesce(sum(o.total_fen) filter (f.state = '{Fence.TRIED}'), 0) as held,
                coalesce(sum(o.total_fen - o.refunded_fen) filter (f.state = '{Fence.CONFIRMED}'), 0) as spent
            from orders o join reservations f on f.order_id = o.order_id and f.branch = '{Branch.BALANCE}'
            group by o.user_id
        )
        select format('wallet of user {{}}: {{}} fen and {{}} held of {{}}, the fences say {{}} held and {{}} spent',
            w.user_id, w.balance_fen, w.held_fen, w.topped_up_fen, coalesce(t.held, 0), coalesce(t.spent, 0))
        from wallets w left join told t using (user_id)
        where w.held_fen <> coalesce(t.held, 0) or least(w.balance_fen, w.held_fen) < 0
            or w.balance_fen + w.held_fen + coalesce(t.spent, 0) <> w.topped_up_fen
        """,
    )


PROMISES = (
    Promise("reservations.no_mixed", "No order is reserved in part", no_mixed),
    Promise("reservations.branches", "An order reserves exactly what it uses", branches),
    Promise("reservations.fences", "Fences say what became of the order", told_the_same),
    Promise("reservations.stock", "Stock equals what the fences say", stock_sums),
    Promise("reservations.coupons", "Coupons equal what the fences say", coupon_sums),
    Promise("reservations.wallets", "Wallets equal what the fences say", wallet_sums),
)
