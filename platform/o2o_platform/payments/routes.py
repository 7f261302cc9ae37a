"""The route of the provider's callback, and the tasks of payment: deadline and refunds."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

from o2o_platform.errors import Forbidden
from o2o_platform.hot_lane import PUBLIC
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import body, reply
from o2o_platform.ledger import repository as ledger
from o2o_platform.payments import deadline, repository
from o2o_platform.payments.callback import CALLBACK, Callback, take
from o2o_platform.payments.refunds import Refunds
from o2o_platform.payments.signing import HEADER, holds


def register(app: FastAPI, ctx: Context) -> None:
    """Add the route, the exports of payments and ledger, and the tasks."""
    ctx.exports["payments"] = repository.rows
    ctx.exports["ledger"] = ledger.rows
    ctx.background.add("unpaid", lambda: deadline.watch(ctx))
    ctx.background.add("refunds", Refunds(ctx, app.state.provider_transport).run)

    async def callback(request: Request, _: None) -> Response:
        """What the provider tells us; the header X-Signature must be that of the body. Told twice is applied once."""
        signature = request.headers.get(HEADER, "")
        if not holds(ctx.settings.provider_secret, await request.body(), signature):
            raise Forbidden("bad_signature", "this does not come from the payment provider")
        told, now = await body(request, CALLBACK), ctx.clock.now()
        became = await ctx.db.write(lambda conn: take(conn, ctx, told, now))
        return reply({"result": became})

    ctx.hot.add(app, "POST", "/payments/callback", callback, PUBLIC, tag="payments", body=Callback)
