"""Coupons over HTTP: made by operators, claimed by consumers, explained to consumers.

Redemption has no route of its own: a coupon is redeemed by naming it in POST /orders.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from o2o_domain.coupons import Coupon, Eligible, Ineligible
from o2o_domain.refusal import Refused
from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.coupons import repository
from o2o_platform.errors import Conflict, NotFound, refusal
from o2o_platform.kit.context import Context

Fen = Annotated[int, Field(ge=0, le=10**12)]


class CouponBody(BaseModel):
    """A spend-and-save coupon: `off_fen` off dishes of at least `threshold_fen`; no segments means all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,32}$")]
    threshold_fen: Fen
    off_fen: Annotated[int, Field(gt=0, le=10**9)]
    budget_fen: Fen
    per_user: Annotated[int, Field(gt=0, le=10**6)] = 1
    segments: Annotated[list[str], Field(max_length=50)] = []

    def value(self) -> Coupon:
        """The rule's view of it."""
        fields = self.model_dump()
        return Coupon(**{**fields, "segments": tuple(self.segments)})


def _error(refused: Refused) -> Exception:
    return refusal(refused, NotFound if refused.code == "unknown_coupon" else Conflict)


def register(app: FastAPI, ctx: Context) -> None:
    """Plug coupons into the app."""
    ctx.exports["coupons"] = repository.export

    @app.post("/admin/coupons", status_code=201, tags=["coupons"])
    async def create(
        body: Annotated[list[CouponBody], Field(max_length=1000)],
        _: CurrentUser = require(Permission.MANAGE_COUPONS),
    ) -> dict[str, Any]:
        """Make coupons; repeating one unchanged is fine, changing one is 409."""
        now = ctx.clock.now()
        refused = await ctx.db.write(lambda conn: repository.create(conn, [one.value() for one in body], now=now))
        if refused is not None:
            raise _error(refused)
        return {"coupons": [{"code": one.code} for one in body]}

    @app.get("/coupons/mine", tags=["coupons"])
    async def mine(user: CurrentUser = require(Permission.CLAIM_COUPON)) -> dict[str, Any]:
        """What the user has claimed, newest first."""
        return {"coupons": await ctx.db.read(lambda conn: repository.of_user(conn, user.id))}

    @app.post("/coupons/{code}/claim", status_code=201, tags=["coupons"])
    async def claim(code: str, user: CurrentUser = require(Permission.CLAIM_COUPON)) -> dict[str, Any]:
        """Hold a coupon: 409 `budget_exhausted` or `per_user_limit`, 404 for an unknown code."""
        now = ctx.clock.now()
        decision = await ctx.db.write(lambda conn: repository.claim(conn, code=code, user_id=user.id, now=now))
        if isinstance(decision, Refused):
            raise _error(decision)
        return {"code": code, "hold_fen": decision.hold_fen}

    @app.get("/coupons/{code}/eligibility", tags=["coupons"])
    async def eligibility(
        code: str, items_fen: Fen, user: CurrentUser = require(Permission.CLAIM_COUPON)
    ) -> dict[str, Any]:
        """Whether the coupon would apply to dishes of `items_fen`, with every reason why not."""
        verdict = await ctx.db.read(
            lambda conn: repository.eligibility(
                conn, code=code, user_id=user.id, segment=user.segment, items_fen=items_fen
            )
        )
        if isinstance(verdict, Refused):
            raise _error(verdict)
        if isinstance(verdict, Ineligible):
            return {"code": code, "eligible": False, "discount_fen": 0, "reasons": list(verdict.reasons)}
        assert isinstance(verdict, Eligible)
        return {"code": code, "eligible": True, "discount_fen": verdict.discount_fen, "reasons": []}
