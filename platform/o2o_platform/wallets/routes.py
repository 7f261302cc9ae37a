"""Wallets over HTTP: one's own, and top-ups in bulk by an administrator, as a bank's file of transfers would bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection
from starlette.responses import Response

from o2o_domain.roles import Permission
from o2o_platform.accounts import repository as accounts
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import NotFound
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.wallets import repository

MAX_BULK = 20_000


class TopUpBody(BaseModel):
    """`amount_fen` into a user's wallet, the user named by id or ref; `key` names the transfer, once and for ever."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    user_ref: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    amount_fen: Annotated[int, Field(gt=0, le=10**9)]
    key: Annotated[str, Field(min_length=1, max_length=128)]

    @model_validator(mode="after")
    def _one_name(self) -> TopUpBody:
        if (self.user_id is None) == (self.user_ref is None):
            raise ValueError("name the user by user_id or by user_ref")
        return self


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes and the export."""
    ctx.exports["wallets"] = repository.rows

    @app.get("/wallet", tags=["wallets"])
    async def mine(user: CurrentUser = require(Permission.PLACE_ORDER)) -> Response:
        """What the user has, and what orders hold of it."""
        return reply(await ctx.db.read(lambda conn: _view(conn, user.id)))

    @app.post("/admin/wallets:bulk", status_code=201, tags=["wallets"])
    async def top_up(
        body: Annotated[list[TopUpBody], Field(max_length=MAX_BULK)],
        _: CurrentUser = require(Permission.MANAGE_ACCOUNTS),
    ) -> Response:
        """Top wallets up, all or none; one whose key is known is not done again. The answers are in order."""
        now = ctx.clock.now()
        return reply({"wallets": await ctx.db.write(lambda conn: _top_up(conn, body, now), long=True)}, 201)


def _top_up(conn: Connection, wanted: Sequence[TopUpBody], now: float) -> list[dict[str, Any]]:
    by_ref = accounts.by_refs(conn, [one.user_ref for one in wanted if one.user_ref is not None])
    answers = []
    for one in wanted:
        account = by_ref.get(one.user_ref) if one.user_ref is not None else accounts.by_id(conn, one.user_id or 0)
        if account is None:
            raise NotFound("unknown_account", str(one.user_ref or one.user_id))
        again = not repository.top_up(conn, account.id, one.amount_fen, one.key, now)
        answers.append({"key": one.key, "again": again, **_view(conn, account.id)})
    return answers


def _view(conn: Connection, user_id: int) -> dict[str, Any]:
    wallet = repository.find(conn, user_id)
    return {"user_id": user_id, "balance_fen": wallet.balance_fen, "held_fen": wallet.held_fen}
