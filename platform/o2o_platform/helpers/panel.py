"""The platform's side of its helpers: a breaker each, what they are asked, what stands in for an answer (S11, A3).

Decides that the order path goes on whatever a helper does: without a verdict the order is taken and marked `unknown`; a
page comes without the part that is not to be had. A helper without a URL is none: its built-in stands in, at no cost.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from typing import Any

from o2o_domain.breaker import BreakerPolicy, BreakerState
from o2o_domain.risk import RiskVerdict
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Forbidden
from o2o_platform.helpers.prices import Prices
from o2o_platform.helpers.record import Record, process_name
from o2o_platform.helpers.wire import (
    NO_VERDICT,
    MerchantQuestion,
    Recommendation,
    ReviewSummary,
    RiskAnswer,
    RiskQuestion,
)
from o2o_platform.kit.breaker import Helper
from o2o_platform.kit.context import Context
from o2o_platform.kit.meters import Meters
from o2o_platform.orders.bodies import OrderBody

log = logging.getLogger("o2o.helpers")

_LEVEL = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 1.0, BreakerState.OPEN: 2.0}
_COUNTERS = {
    "calls": "Questions that the breaker let through.",
    "failures": "Of those, the ones not answered well or not in time.",
    "rejected": "Questions that the breaker did not let through.",
    "fallbacks": "Questions that were answered with the fallback.",
}


class Panel:
    """The helpers of this process; None for one that has no URL."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._prices = Prices(ctx.db, ctx.clock.now)
        self.record = Record(ctx.db)
        settings = ctx.settings
        self.risk: Helper[RiskAnswer] | None = self._helper("risk", settings.risk_url, RiskAnswer, NO_VERDICT)
        self.recommendation: Helper[Recommendation | None] | None = self._helper(
            "recommendation", settings.recommendation_url, Recommendation, None
        )
        self.reviews: Helper[ReviewSummary | None] | None = self._helper(
            "reviews", settings.reviews_url, ReviewSummary, None
        )

    def all(self) -> list[Helper[Any]]:
        """Those that have a URL."""
        return [helper for helper in (self.risk, self.recommendation, self.reviews) if helper is not None]

    async def assess(self, user: CurrentUser, key: str, wanted: OrderBody) -> str:
        """The verdict on an order that is about to be placed. Raises Forbidden (`risk_denied`)."""
        assert self.risk is not None
        drop = wanted.drop
        said = await self.risk.ask(
            RiskQuestion(
                user_id=user.id,
                key=key,
                at=self._ctx.clock.now(),
                amount_fen=await self._prices.amount_fen(wanted.merchant_id, wanted.items),
                address=drop.address or f"{drop.lat:.4f},{drop.lng:.4f}",
            )
        )
        if said.verdict is RiskVerdict.DENY:
            raise Forbidden("risk_denied", ", ".join(said.reasons))
        return said.verdict.value

    async def recommend(self, merchant_id: int) -> Recommendation | None:
        """What to recommend on a merchant's page; None: not to be had now."""
        if self.recommendation is None:
            return Recommendation()
        return await self.recommendation.ask(MerchantQuestion(merchant_id))

    async def review_summary(self, merchant_id: int) -> ReviewSummary | None:
        """A merchant's reviews in short; None: not to be had now."""
        assert self.reviews is not None
        return await self.reviews.ask(MerchantQuestion(merchant_id))

    def states(self) -> list[dict[str, Any]]:
        """How things stand with each helper: its breaker and what became of the questions so far."""
        return [
            {
                "process": process_name(),
                "helper": helper.name,
                "state": helper.breaker.state.value,
                "since": helper.breaker.since,
                "reason": helper.breaker.reason,
                **asdict(helper.counts),
            }
            for helper in self.all()
        ]

    def meter(self, meters: Meters) -> None:
        """Show breakers and questions at /metrics."""
        helpers = self.all()
        if not helpers:
            return
        meters.read(
            "breaker_state",
            "0: closed, 1: half-open, 2: open.",
            lambda: {helper.name: _LEVEL[helper.breaker.state] for helper in helpers},
            label="helper",
        )
        for name, text in _COUNTERS.items():
            meters.read(
                f"helper_{name}_total",
                text,
                partial(_counted, helpers, name),
                kind="counter",
                label="helper",
            )

    async def close(self) -> None:
        """Hang up, and write down what is not written yet."""
        for helper in self.all():
            await helper.close()
        try:
            await self.record.flush()
        except Exception:  # a database that is away does not keep the process from ending
            log.exception("the last changes of the breakers are not recorded")

    def _helper(self, name: str, url: str, kind: Any, fallback: Any) -> Helper[Any] | None:
        if not url:
            return None
        settings = self._ctx.settings
        return Helper(
            name,
            f"{url.rstrip('/')}/{name}/ask",
            kind,
            fallback,
            policy=BreakerPolicy(failures=settings.breaker_failures, open_s=settings.breaker_open_s),
            timeout_s=settings.helper_timeout_s,
            clock=self._ctx.clock,
            on_change=self.record.note,
        )


def _counted(helpers: list[Helper[Any]], name: str) -> dict[str, float]:
    return {helper.name: float(getattr(helper.counts, name)) for helper in helpers}
