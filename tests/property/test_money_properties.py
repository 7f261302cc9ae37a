"""Money: quotes never go negative, postings sum to 0, budgets and stock are never exceeded, whatever happens."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from o2o_domain import coupons, deals, ledger, payments, stock
from o2o_domain.coupons import Claimed, Coupon, CouponEvent, CouponState, Spent
from o2o_domain.money import share
from o2o_domain.pricing import FeePolicy, Line, Quote, delivery_fee, price
from o2o_domain.stock import Reserved

SHARES = st.integers(0, 10_000).map(lambda basis: basis / 10_000)
LINES = st.lists(
    st.builds(Line, st.integers(0, 5), st.just("菜"), st.integers(-1, 101), st.integers(-1, 20_000)), max_size=6
)
FEES = st.builds(
    FeePolicy,
    base_fen=st.integers(0, 2000),
    free_over_fen=st.integers(0, 20_000),
    per_km_fen=st.integers(0, 500),
    free_km=st.floats(0, 10),
    commission_share=SHARES,
)
QUOTES = st.builds(
    lambda items, cut, fee: Quote(items, min(items, cut), fee, items - min(items, cut) + fee),
    st.integers(0, 10**9),
    st.integers(0, 10**6),
    st.integers(0, 10_000),
)


@given(LINES, FEES, st.floats(0, 50_000), st.integers(-10, 10**6))
def test_a_quote_is_never_negative_and_adds_up(
    lines: list[Line], fees: FeePolicy, distance_m: float, discount_fen: int
) -> None:
    quote = price(lines, fees=fees, distance_m=distance_m, discount_fen=discount_fen)
    sound = bool(lines) and discount_fen >= 0 and all(1 <= line.qty <= 99 and line.unit_fen >= 0 for line in lines)
    assert isinstance(quote, Quote) is sound
    if isinstance(quote, Quote):
        assert min(quote.items_fen, quote.discount_fen, quote.delivery_fee_fen, quote.total_fen) >= 0
        assert quote.items_fen == sum(line.qty * line.unit_fen for line in lines)
        assert quote.discount_fen == min(discount_fen, quote.items_fen)
        assert quote.total_fen == quote.items_fen - quote.discount_fen + quote.delivery_fee_fen


@given(FEES, st.integers(0, 20_000), st.floats(0, 50_000), st.floats(0, 50_000))
def test_a_longer_way_never_costs_less(fees: FeePolicy, items_fen: int, one_m: float, other_m: float) -> None:
    near, far = sorted((one_m, other_m))
    assert delivery_fee(fees, items_fen, near) <= delivery_fee(fees, items_fen, far)


@given(st.integers(-(10**12), 10**12), SHARES)
def test_a_share_is_the_exact_half_up_rounding(fen: int, part: float) -> None:
    exact = abs(fen) * Fraction(round(part * 10_000), 10_000)
    rounded = int(exact + Fraction(1, 2))
    assert share(fen, part) == (rounded if fen >= 0 else -rounded)


@given(QUOTES, st.integers(0, 999), SHARES)
def test_every_transaction_sums_to_zero_and_a_refund_undoes_a_payment(
    quote: Quote, merchant_id: int, part: float
) -> None:
    """A9."""
    paid = ledger.paid(quote, merchant_id=merchant_id, commission_share=part)
    refunded = ledger.refunded(quote, merchant_id=merchant_id, commission_share=part)
    settled = ledger.settled(quote, merchant_id=merchant_id, commission_share=part)
    for postings in (paid, refunded, settled):
        assert sum(posting.amount_fen for posting in postings) == 0
        assert all(posting.amount_fen for posting in postings)
    assert not any(ledger.balances(paid + refunded).values())
    after = ledger.balances(paid + settled)
    assert after.get("provider_clearing", 0) == quote.total_fen
    assert after.get(f"merchant_payable:{merchant_id}", 0) == 0
    assert -after.get(f"merchant_settled:{merchant_id}", 0) - after.get("platform_commission", 0) == quote.items_fen


@given(
    st.builds(Coupon, st.just("C"), st.integers(0, 5000), st.integers(1, 900), st.integers(0, 5000), st.integers(1, 3)),
    st.lists(st.tuples(st.sampled_from(["claim", "redeem", "give_back"]), st.integers(0, 4), st.integers(0, 6000))),
)
def test_a_budget_is_never_exceeded_and_what_is_committed_is_what_is_held_or_spent(
    coupon: Coupon, script: list[tuple[str, int, int]]
) -> None:
    claims: list[tuple[int, CouponState, int]] = []  # user, state, fen committed
    committed = 0
    for what, user, fen in script:
        if what == "claim":
            mine = sum(owner == user and state != CouponState.RETURNED for owner, state, _ in claims)
            answer = coupons.claim(coupon, committed_fen=committed, claimed_by_user=mine)
            if isinstance(answer, Claimed):
                committed += answer.hold_fen
                claims.append((user, CouponState.CLAIMED, answer.hold_fen))
                assert mine < coupon.per_user
            else:
                assert mine >= coupon.per_user or committed + coupon.off_fen > coupon.budget_fen
        elif claims:
            index = fen % len(claims)
            owner, state, held = claims[index]
            event = CouponEvent(what)
            after = coupons.step(state, event)
            if not isinstance(after, CouponState):
                continue
            if event is CouponEvent.GIVE_BACK:
                committed -= held
                claims[index] = (owner, after, 0)
            else:
                used = coupons.eligible(coupon, items_fen=fen, segment="family", used_by_user=0)
                if isinstance(used, coupons.Ineligible):
                    assert fen < coupon.threshold_fen
                    continue
                spent = coupons.redeem(held, used.discount_fen)
                assert isinstance(spent, Spent)
                committed -= spent.freed_fen
                claims[index] = (owner, after, spent.spent_fen)
        assert 0 <= committed <= coupon.budget_fen
        assert committed == sum(held for _, _, held in claims)
        for user_id in range(5):
            assert sum(owner == user_id and s != CouponState.RETURNED for owner, s, _ in claims) <= coupon.per_user


@given(
    st.dictionaries(st.integers(0, 4), st.integers(0, 12), min_size=1),
    st.lists(
        st.lists(st.builds(Line, st.integers(0, 5), st.just("菜"), st.integers(1, 5), st.just(100)), max_size=4),
        max_size=12,
    ),
)
def test_stock_is_never_negative_and_comes_back_whole(initial: dict[int, int], baskets: list[list[Line]]) -> None:
    levels = dict(initial)
    taken: list[list[Line]] = []
    for basket in baskets:
        answer = stock.reserve(levels, basket)
        if isinstance(answer, Reserved):
            levels.update(answer.levels)
            taken.append(basket)
        assert min(levels.values()) >= 0
        assert levels.keys() == initial.keys()
    for basket in taken:
        levels.update(stock.give_back(levels, basket).levels)
    assert levels == initial


@given(st.integers(1, 40), st.lists(st.integers(-1, 101), max_size=30))
def test_a_deal_is_never_oversold(pieces: int, wishes: list[int]) -> None:
    deal = deals.Deal(1, 1, "套餐", 100, 200, pieces, 10.0)
    sold = 0
    for qty in wishes:
        answer = deals.buy(deal, sold=sold, qty=qty, now=0.0)
        if isinstance(answer, deals.Bought):
            assert answer.sold == sold + qty
            sold = answer.sold
        else:
            assert not 1 <= qty <= 99 or sold + qty > pieces
        assert 0 <= sold <= pieces


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from(["callback", "expire", "refund"]))))
def test_however_callbacks_come_money_is_taken_at_most_once(script: list[tuple[bool, bool, str]]) -> None:
    """G11: 0 double charge, and what the order no longer waits for goes back."""
    state = payments.PaymentState.REQUESTED
    taken = 0
    for ok, mismatch, what in script:
        if what == "callback":
            answer = payments.on_callback(state, amount_due=500, amount=499 if mismatch else 500, ok=ok)
            if not isinstance(answer, payments.Apply):
                continue
            event = answer.event
        else:
            event = payments.PaymentEvent(what)
        after = payments.step(state, event)
        if isinstance(after, payments.PaymentState):
            # A dispute that is given back was taken as well, by what the statement said.
            taken += event is payments.PaymentEvent.PAY or (state, event) == ("disputed", "refund")
            state = after
        assert taken <= 1
        assert (state in ("paid", "refunded", "part_refunded")) == (taken == 1)
