"""Paying merchants out: what is settled by now, one payout a merchant (A9).

Decides that a payout is all that the ledger says is owed to the merchant for good, so calling twice pays once; one that
owes the platform (refunds after an earlier payout) is paid when it has earned more than that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, insert, select
from starlette.responses import Response

from o2o_domain import ledger as postings
from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.ledger.repository import post
from o2o_platform.ledger.tables import ledger
from o2o_platform.payments.tables import payouts

_SETTLED = postings.merchant_settled(0).removesuffix("0")


class PayoutBody(BaseModel):
    """Whom to pay; all merchants if left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    merchant_ids: Annotated[list[int], Field(max_length=10_000)] | None = None


def register(app: FastAPI, ctx: Context) -> None:
    """Add the route and the export."""
    ctx.exports["payouts"] = rows

    @app.post("/admin/payouts", status_code=201, tags=["payments"])
    async def make(body: PayoutBody | None = None, user: CurrentUser = require(Permission.PAY_OUT)) -> Response:
        """Pay each merchant what is settled; the answer lists what was paid."""
        now, wanted = ctx.clock.now(), (body or PayoutBody()).merchant_ids
        made = await ctx.db.write(lambda conn: pay_out(conn, wanted, by=user.id, now=now), long=True)
        return reply({"payouts": made, "total_fen": sum(one["amount_fen"] for one in made)}, 201)


def pay_out(conn: Connection, merchant_ids: list[int] | None, *, by: int, now: float) -> list[dict[str, Any]]:
    """Pay out; returns the rows written."""
    made = []
    for merchant_id, fen in due(conn):
        if fen <= 0 or (merchant_ids is not None and merchant_id not in merchant_ids):
            continue
        entries = postings.paid_out(merchant_id, fen)
        txn_id = post(conn, entries, order_id=None, reason="paid_out", at=now)
        row = {"merchant_id": merchant_id, "amount_fen": fen, "at": now, "by": by, "txn_id": txn_id}
        payout_id = conn.execute(insert(payouts).values(row).returning(payouts.c.id)).scalar_one()
        made.append({"payout_id": payout_id, "merchant_id": merchant_id, "amount_fen": fen})
    return made


def due(conn: Connection) -> list[tuple[int, int]]:
    """(merchant, fen settled and not paid out), by merchant; below 0: the merchant owes it."""
    query = (
        select(ledger.c.account, func.sum(ledger.c.amount_fen))
        .where(ledger.c.account.startswith(_SETTLED, autoescape=True))
        .group_by(ledger.c.account)
    )
    return sorted((int(account.removeprefix(_SETTLED)), -int(fen)) for account, fen in conn.execute(query))


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The run table `payouts`."""
    for row in conn.execute(select(payouts).order_by(payouts.c.id)):
        yield {"payout_id": row.id, "merchant_id": row.merchant_id, "at": row.at, "amount_fen": row.amount_fen}
