"""Coupon book: budgets held, redeemed and given back by the domain's rules.

Decides nothing but bookkeeping: what is committed of each budget, and how often each user holds each coupon.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from o2o_domain import coupons
from o2o_domain.coupons import Claimed, Coupon, CouponEvent, CouponState, Eligible, Ineligible, Spent
from o2o_domain.refusal import Refused
from o2o_scenarios.schema import CouponSpec
from o2o_sim.platform_model.desk import DecisionLog
from o2o_sim.platform_model.records import Order


@dataclass(slots=True)
class _Account:
    coupon: Coupon
    committed_fen: int = 0
    claimed: int = 0
    redeemed: int = 0
    returned: int = 0
    redeemed_fen: int = 0


class CouponBook:
    """All coupons of a scenario, by code."""

    def __init__(self, specs: tuple[CouponSpec, ...], decisions: DecisionLog | None) -> None:
        self._accounts = {
            spec.code: _Account(
                Coupon(spec.code, spec.threshold_fen, spec.off_fen, spec.budget_fen, spec.per_user, spec.segments)
            )
            for spec in specs
        }
        self._held: Counter[tuple[str, int]] = Counter()  # claims not given back, by code and user
        self._decisions = decisions

    def offer(self, order: Order, items_fen: int) -> int | None:
        """The discount of the coupon that the user asked for, or None and the order notes why; nothing is held yet."""
        code = order.wanted_coupon
        if code is None:
            return None
        account = self._accounts.get(code)
        if account is None:
            order.coupon_refused = "unknown_coupon"
            return None
        used = self._held[code, order.user_id]
        facts = {"items_fen": items_fen, "segment": order.segment, "used_by_user": used}
        verdict = coupons.eligible(account.coupon, items_fen=items_fen, segment=order.segment, used_by_user=used)
        self._note("coupons.eligible", account.coupon, facts, verdict)
        if isinstance(verdict, Ineligible):
            order.coupon_refused = ",".join(verdict.reasons)
            return None
        return self._claim(order, account, verdict, used)

    def _claim(self, order: Order, account: _Account, verdict: Eligible, used: int) -> int | None:
        coupon = account.coupon
        claim = coupons.claim(coupon, committed_fen=account.committed_fen, claimed_by_user=used)
        facts = {"committed_fen": account.committed_fen, "claimed_by_user": used}
        self._note("coupons.claim", coupon, facts, claim)
        if isinstance(claim, Refused):
            order.coupon_refused = claim.code
            return None
        assert isinstance(claim, Claimed)
        spent = coupons.redeem(claim.hold_fen, verdict.discount_fen)
        assert isinstance(spent, Spent)  # an eligible coupon's discount never exceeds its hold
        return spent.spent_fen

    def redeem(self, order: Order, discount_fen: int) -> None:
        """Claim and redeem what was offered just now."""
        assert order.wanted_coupon is not None
        account = self._accounts[order.wanted_coupon]
        coupon = account.coupon
        state = coupons.step(CouponState.CLAIMED, CouponEvent.REDEEM)
        assert isinstance(state, CouponState)
        order.coupon_code, order.coupon_state = coupon.code, state
        self._held[coupon.code, order.user_id] += 1
        account.claimed += 1
        account.redeemed += 1
        account.redeemed_fen += discount_fen
        account.committed_fen += discount_fen

    def give_back(self, order: Order) -> None:
        """Free the coupon of an order that came to nothing; without a coupon nothing happens."""
        if order.coupon_code is None or order.coupon_state is None:
            return
        state = coupons.step(order.coupon_state, CouponEvent.GIVE_BACK)
        if isinstance(state, Refused):
            return
        order.coupon_state = state
        account = self._accounts[order.coupon_code]
        self._held[order.coupon_code, order.user_id] -= 1
        account.redeemed -= 1
        account.returned += 1
        account.redeemed_fen -= order.quote.discount_fen
        account.committed_fen -= order.quote.discount_fen

    def rows(self) -> list[dict[str, Any]]:
        """The run table `coupons`."""
        return [
            {
                "code": code,
                "budget_fen": account.coupon.budget_fen,
                "committed_fen": account.committed_fen,
                "claimed": account.claimed,
                "redeemed": account.redeemed,
                "returned": account.returned,
                "redeemed_fen": account.redeemed_fen,
            }
            for code, account in self._accounts.items()
        ]

    def _note(self, rule: str, coupon: Coupon, facts: dict[str, Any], output: Any) -> None:
        if self._decisions is not None:
            self._decisions.note(rule, {"coupon": coupon, **facts}, output)
