"""A batch of orders: decided, written in one statement, answered.

Decides what happens when the facts were not what the cache said. Wants that cached facts could not say yes to, and
those that together want more than the cache believes is there, are decided by facts read for them, one after the other,
after the others of the batch. If a guard misses all the same (another worker was quicker, a price was changed), all of
the batch is decided afresh, a few times; then the batch is given up, halved, and what is left alone goes to the
ordinary unit of work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import asyncpg

from o2o_platform.errors import PlatformError, Unprocessable
from o2o_platform.kit.batch_sql import GuardMissed, run
from o2o_platform.kit.context import Context
from o2o_platform.kit.line import Line, lost
from o2o_platform.orders import place, repository
from o2o_platform.orders.lane import paid, rows
from o2o_platform.orders.lane.facts import Facts, Known
from o2o_platform.orders.lane.statements import IDS, PAID_IDS, PLACE
from o2o_platform.orders.lane.want import Taken, Want
from o2o_platform.orders.place import Placed

ROUNDS = 4
"""A batch is decided so often before it is given up."""
BLOCK = 512
"""Ids that are drawn from the sequences at once."""


class Work:
    """`many` is the batcher's `work_many`; one batch at a time."""

    def __init__(self, ctx: Context, facts: Facts) -> None:
        self._ctx = ctx
        self._settings = ctx.settings
        self._facts = facts
        self._line = Line(ctx.db)
        self._ids: deque[tuple[int, int]] = deque()
        self._paid_ids: deque[tuple[int, int]] = deque()
        self.missed = 0
        """Guards that missed."""
        self.looked = 0
        """Batches for which facts were read afresh, though the cache had them."""

    async def close(self) -> None:
        """Hang up."""
        await self._line.close()

    async def many(self, wants: Sequence[Want]) -> list[Placed | Exception]:
        """What became of each. Raises as a whole what `lost` knows, or what a single want has spoiled."""
        pending = list(wants)
        try:
            while pending:
                first, twins, later = _apart(pending)
                await self._round(first)
                for twin, original in twins:
                    outcome = original.outcome
                    twin.outcome = Placed(outcome.answer, True) if isinstance(outcome, Placed) else outcome
                pending = later
        except Exception as exc:
            if lost(exc):
                self._line.drop()
            raise
        return [want.outcome for want in wants]  # type: ignore[misc]  # each has one now

    async def _round(self, wants: list[Want]) -> None:
        wants = [want for want in wants if want.outcome is None]  # those of a batch that is tried again
        conn = await self._line.get()
        await self._fill(conn, [want for want in wants if want.basket is None])
        doubtful = self._doubtful(wants)
        for _ in range(ROUNDS):
            if doubtful:
                await self._decide(conn, wants, doubtful)
                wants = [want for want in wants if want.outcome is None]
            if not wants:
                return
            try:
                await self._write(conn, wants)
                return
            except GuardMissed:
                self.missed += 1
                doubtful = wants
        raise GuardMissed(f"{ROUNDS} times")

    async def _fill(self, conn: asyncpg.Connection, undecided: list[Want]) -> None:
        """Read what the cache lacks for these, and ask the cache again."""
        facts = self._facts
        merchants, coupons, claims, wallets = set(), set(), set(), set()
        for want in undecided:
            body = want.body
            if facts.menus.get(body.merchant_id) is None:
                merchants.add(body.merchant_id)
            if (code := body.coupon_code) is not None:
                if facts.budgets.get(code) is None:
                    coupons.add(code)
                if facts.claims.get((code, want.user.id)) is None:
                    claims.add((code, want.user.id))
            if want.from_balance and facts.wallets.get(want.user.id) is None:
                wallets.add(want.user.id)
        if merchants or coupons or claims or wallets:
            await facts.load(conn, merchants=merchants, coupons=coupons, claims=claims, wallets=wallets)
            for want in undecided:
                want.try_cached(self._settings, facts)

    def _doubtful(self, wants: list[Want]) -> list[Want]:
        """Wants without a decision, and those that together want more than the cache believes is there."""
        doubtful = [want for want in wants if want.basket is None]
        tight_dishes = rows.tight_dishes(wants)
        tight_codes = rows.tight_codes(wants, self._facts)
        tight_wallets = paid.tight_wallets(wants, self._facts)
        if tight_dishes or tight_codes or tight_wallets:
            for want in wants:
                basket = want.basket
                if basket is not None and (
                    want.coupon_code in tight_codes
                    or (want.from_balance and want.user.id in tight_wallets)
                    or not tight_dishes.isdisjoint(basket.pieces)
                ):
                    want.basket = None
                    doubtful.append(want)
        return doubtful

    async def _decide(self, conn: asyncpg.Connection, wants: list[Want], doubtful: list[Want]) -> None:
        """Read what the doubtful depend on, and decide them after all others; refusals become outcomes."""
        self.looked += 1
        for want in doubtful:
            want.basket = None
        codes = {want.body.coupon_code for want in doubtful if want.body.coupon_code is not None}
        claims = {(want.body.coupon_code, want.user.id) for want in doubtful if want.body.coupon_code is not None}
        known = await self._facts.known(conn, [want.key for want in doubtful])
        await self._facts.load(
            conn,
            merchants={want.body.merchant_id for want in doubtful},
            coupons=codes,
            claims=claims,
            wallets={want.user.id for want in doubtful if want.from_balance},
        )
        taken = Taken()
        for want in wants:
            if want.basket is not None:
                rows.count(want, taken)
        for want in doubtful:
            try:
                before = known.get(want.key)
                if before is not None:
                    if want.id not in (0, before.id):
                        self._ids.appendleft((want.id, want.payment_id))
                        if want.txn_id:
                            self._paid_ids.appendleft((want.ticket_id, want.txn_id))
                    want.outcome = self._repeated(want, before)
                    continue
                want.decide_fresh(self._settings, self._facts, taken)
                rows.count(want, taken)
            except PlatformError as refusal:
                want.basket = None
                want.outcome = refusal

    def _repeated(self, want: Want, known: Known) -> Placed:
        if known.fingerprint != want.fingerprint:
            raise Unprocessable("idempotency_key_reused", f"the key {want.ref} stands for another order")
        said = place.answer(self._settings, known, known.payment_id, method=known.method)
        return Placed(said, again=known.id != want.id)  # its own id: this batch was committed, and the answer lost

    async def _write(self, conn: asyncpg.Connection, wants: list[Want]) -> None:
        """Write the batch; outcomes, and the cache, follow. Raises GuardMissed."""
        wants.sort(key=_by_key)
        await self._number(conn, wants)
        settings = self._settings
        values = [settings.commission_share, settings.payment_deadline_s, settings.promise_s]
        values += rows.of_orders(wants)
        from_balance = any(want.from_balance for want in wants)
        if from_balance:
            values += paid.of_orders(wants)
        values += rows.of_dishes(wants)
        redeeming = [want for want in wants if want.redemption is not None]
        if redeeming:
            values += rows.of_coupons(redeeming)
            values += rows.of_claims(redeeming)
        if from_balance:
            values += paid.of_wallets(wants)
            values += paid.of_entries(wants, settings.commission_share)
        statement = PLACE[bool(redeeming), from_balance]
        await run(conn, statement, *values, unique=("coupon_claims_nth",))
        self._ctx.db.ring()
        for want in wants:
            said = place.answer(settings, want, want.payment_id, method=want.body.pay_with)
            want.outcome = Placed(said, again=False)
        rows.remember(wants, self._facts)
        if from_balance:
            paid.remember(wants, self._facts)

    async def _number(self, conn: asyncpg.Connection, wants: list[Want]) -> None:
        """Give ids to those that have none yet."""
        ids, paid_ids = self._ids, self._paid_ids
        while len(ids) < len(wants):
            ids.extend((row[0], row[1]) for row in await conn.fetch(IDS, BLOCK))
        for want in wants:
            if not want.id:
                want.id, want.payment_id = ids.popleft()
                want.order_no = repository.order_no(want.id)
            if want.from_balance and not want.txn_id:
                if not paid_ids:
                    paid_ids.extend((row[0], row[1]) for row in await conn.fetch(PAID_IDS, BLOCK))
                want.ticket_id, want.txn_id = paid_ids.popleft()


def _by_key(want: Want) -> tuple[int, str]:
    return want.key


def _apart(wants: list[Want]) -> tuple[list[Want], list[tuple[Want, Want]], list[Want]]:
    """Those that can go together; (repetitions, what they repeat); and those that must come after them.

    Two orders under one key, or of one user with one coupon, are not decided together.
    """
    first: list[Want] = []
    twins: list[tuple[Want, Want]] = []
    later: list[Want] = []
    keys: dict[tuple[int, str], Want] = {}
    claims: set[tuple[int, str]] = set()
    for want in wants:
        original = keys.get(want.key)
        code: Any = want.body.coupon_code
        if original is not None:
            if original.fingerprint == want.fingerprint:
                twins.append((want, original))
            else:
                later.append(want)
        elif code is not None and (want.user.id, code) in claims:
            want.basket = None
            later.append(want)
        else:
            keys[want.key] = want
            if code is not None:
                claims.add((want.user.id, code))
            first.append(want)
    return first, twins, later
