"""Promises about what is limited: stock, coupon budgets, vouchers."""

from __future__ import annotations

from o2o_results.audit.evidence import GIVEN_BACK, NOT_TAKEN, Evidence, Finding, Promise, among


def stock_levels(evidence: Evidence) -> Finding:
    """level = initial - reserved + returned, and the level was never below 0."""
    return evidence.ask(
        "select count(*) from stock",
        """
        select format('dish {}: initial {} - reserved {} + returned {} against level {}, lowest {}', dish_id, initial,
            reserved, returned, level, min_level)
        from stock where level <> initial - reserved + returned or level < 0 or min_level < 0 or min_level > level
            or returned > reserved or least(initial, reserved, returned) < 0
        """,
    )


def stock_orders(evidence: Evidence) -> Finding:
    """Per dish: pieces reserved are those of all orders taken; pieces returned those of orders that came to nothing."""
    return evidence.ask(
        "select count(*) from stock",
        f"""
        with pieces as (
            select unnest(items, recursive := true), state from orders
            where kind = 'order' and state not in {among(NOT_TAKEN)}
        ), wanted as (
            select dish_id, sum(qty) as reserved,
                coalesce(sum(qty) filter (state in {among(GIVEN_BACK)}), 0) as returned
            from pieces group by dish_id
        )
        select format('dish {{}}: stock says {{}} reserved and {{}} returned, orders say {{}} and {{}}',
            coalesce(s.dish_id, w.dish_id), coalesce(s.reserved::varchar, 'nothing'),
            coalesce(s.returned::varchar, 'nothing'), coalesce(w.reserved, 0), coalesce(w.returned, 0))
        from stock s full join wanted w using (dish_id)
        where coalesce(s.reserved, 0) <> coalesce(w.reserved, 0) or coalesce(s.returned, 0) <> coalesce(w.returned, 0)
        """,
    )


def coupon_budgets(evidence: Evidence) -> Finding:
    """No coupon committed more than its budget; claims, redemptions and returns add up."""
    return evidence.ask(
        "select count(*) from coupons",
        """
        select format('coupon {}: {} of {} fen committed, {} claimed, {} redeemed ({} fen), {} returned', code,
            committed_fen, budget_fen, claimed, redeemed, redeemed_fen, returned)
        from coupons where committed_fen > budget_fen or redeemed_fen > committed_fen or redeemed + returned > claimed
            or least(committed_fen, redeemed_fen, redeemed, returned, claimed) < 0
        """,
    )


def coupon_orders(evidence: Evidence) -> Finding:
    """Per coupon: what is redeemed is the discount of the orders that kept it; no discount without a coupon."""
    return evidence.ask(
        "select (select count(*) from coupons) + (select count(*) from orders where discount_fen > 0)",
        f"""
        with used as (
            select coupon_code as code, count(*) as n, sum(discount_fen) as fen from orders
            where coupon_code is not null and state not in {among((*NOT_TAKEN, *GIVEN_BACK))} group by all
        )
        select format('coupon {{}}: {{}} redeemed for {{}} fen, orders say {{}} for {{}} fen', coalesce(c.code, u.code),
            coalesce(c.redeemed, 0), coalesce(c.redeemed_fen, 0), coalesce(u.n, 0), coalesce(u.fen, 0))
        from coupons c full join used u using (code)
        where coalesce(c.redeemed_fen, 0) <> coalesce(u.fen, 0) or coalesce(c.redeemed, 0) <> coalesce(u.n, 0)
        union all
        select format('order {{}} has a discount of {{}} fen and coupon {{}}', order_id, discount_fen,
            coalesce(coupon_code, 'none'))
        from orders where state not in {among(NOT_TAKEN)} and (discount_fen > 0) <> (coupon_code is not null)
        """,
    )


def coupon_per_user(evidence: Evidence) -> Finding:
    """No user keeps more orders with a coupon than it allows a user (needs the scenario)."""
    if evidence.scenario is None or not evidence.scenario.coupons:
        return Finding(0, 0)
    limits = " union all ".join(f"select '{c.code}' as code, {c.per_user} as most" for c in evidence.scenario.coupons)
    kept = (
        f"select coupon_code as code, user_id, count(*) as n from orders where coupon_code is not null "
        f"and state not in {among((*NOT_TAKEN, *GIVEN_BACK))} group by all"
    )
    return evidence.ask(
        f"select count(*) from ({kept})",
        f"""select format('user {{}} used coupon {{}} {{}} times, {{}} allowed', user_id, code, n, most)
        from ({kept}) join ({limits}) using (code) where n > most""",
    )


def vouchers_once(evidence: Evidence) -> Finding:
    """No voucher was redeemed twice, and its state, mark and count agree."""
    return evidence.ask(
        "select count(*) from vouchers",
        """
        select format('voucher {} of order {} is {} with {} redemptions', voucher_id, order_id, state, redemptions)
        from vouchers where redemptions not in (0, 1) or (state = 'redeemed') <> (redemptions = 1)
            or (redeemed is not null) <> (redemptions = 1) or redeemed < issued
        """,
    )


def vouchers_paid(evidence: Evidence) -> Finding:
    """Each paid deal has exactly one voucher, an unpaid one none, and both tell the same state."""
    return evidence.ask(
        "select count(*) from orders where kind = 'deal'",
        """
        with issued as (select order_id, count(*) as n, max(state) as voucher from vouchers group by order_id)
        select format('order {} ({}) has {} vouchers, {}', coalesce(o.order_id, i.order_id),
            coalesce(o.state, 'unknown'), coalesce(n, 0), coalesce(voucher, 'none'))
        from (select * from orders where kind = 'deal') o full join issued i using (order_id)
        where o.order_id is null or (o.paid is not null and coalesce(n, 0) <> 1)
            or (o.paid is null and coalesce(n, 0) > 0) or (o.state = 'redeemed') <> (coalesce(voucher, '') = 'redeemed')
            or (o.state = 'refunded') <> (coalesce(voucher, '') = 'refunded')
        """,
    )


PROMISES = (
    Promise("stock.levels", "Stock adds up and was never negative", stock_levels),
    Promise("stock.orders", "Stock reserved and returned equals the orders' dishes", stock_orders),
    Promise("coupons.budgets", "No coupon exceeds its budget", coupon_budgets),
    Promise("coupons.orders", "Coupons redeemed equal the orders' discounts", coupon_orders),
    Promise("coupons.per_user", "No user exceeds a coupon's limit", coupon_per_user),
    Promise("vouchers.once", "A voucher is redeemed at most once", vouchers_once),
    Promise("vouchers.paid", "One voucher for each paid deal, none for an unpaid one", vouchers_paid),
)
