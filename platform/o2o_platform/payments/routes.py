"""The route of the provider's callback, those of reconciliation, and the tasks of payment.

Part refunds and payouts have modules of their own; the exports are the books for whoever wants to check them.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response

from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Forbidden
from o2o_platform.hot_lane import PUBLIC, Answer, Headers
from o2o_platform.kit.context import Context
from o2o_platform.kit.duties import Duty
from o2o_platform.kit.web import decoded, encoded, reply
from o2o_platform.ledger import repository as ledger
from o2o_platform.payments import deadline, differences, owed, part_refunds, payouts, repository
from o2o_platform.payments.callback import CALLBACK, Callback, take
from o2o_platform.payments.lane.route import Lane
from o2o_platform.payments.reconcile import Reconciler
from o2o_platform.payments.refunds import Refunds
from o2o_platform.payments.signing import HEADER, holds

_SIGNATURE = HEADER.lower().encode()


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, the exports of payments, refunds, repairs and ledger, and the tasks."""
    ctx.exports["payments"] = repository.rows
    ctx.exports["refunds"] = owed.rows
    ctx.exports["reconciliations"] = differences.rows
    ctx.exports["ledger"] = ledger.rows
    part_refunds.register(app, ctx)
    payouts.register(app, ctx)
    ctx.background.add("unpaid", lambda: deadline.watch(ctx), duty=Duty.SWEEPS)
    ctx.background.add("refunds", Refunds(ctx, app.state.provider_transport).run, duty=Duty.SWEEPS)
    _reconciliation(app, ctx)

    lane = Lane(ctx) if ctx.db.dialect == "postgresql" else None
    app.state.callbacks = lane
    if lane is not None:
        lane.register()

    async def callback(_: None, headers: Headers, raw: bytes) -> Answer:
        """What the provider tells us; the header X-Signature must be that of the body. Told twice is applied once."""
        signature = headers.get(_SIGNATURE, b"").decode("latin-1")
        if not holds(ctx.settings.provider_secret, raw, signature):
            raise Forbidden("bad_signature", "this does not come from the payment provider")
        told, now = decoded(raw, CALLBACK), ctx.clock.now()
        if lane is not None:
            became = await lane.take(told, now)
        else:
            became = await ctx.db.write(lambda conn: take(conn, ctx, told, now))
        return 200, encoded({"result": became}), ()

    ctx.hot.add_lean(app, "POST", "/payments/callback", callback, PUBLIC, tag="payments", body=Callback)


def _reconciliation(app: FastAPI, ctx: Context) -> None:
    reconciler = Reconciler(ctx, app.state.provider_transport)
    ctx.background.add("reconciliation", reconciler.run, duty=Duty.SWEEPS)

    @app.post("/admin/payments/reconcile", tags=["payments"])
    async def reconcile(user: CurrentUser = require(Permission.RECONCILE)) -> Response:
        """Pull the provider's statement now, compare, repair; the answer counts what was done in this round."""
        return reply(await reconciler.once())

    @app.get("/admin/payments/reconcile", tags=["payments"])
    async def so_far(user: CurrentUser = require(Permission.RECONCILE)) -> Response:
        """Repairs so far by verdict, time to repair, and what is left for people."""
        return reply(await ctx.db.read(differences.summary))
