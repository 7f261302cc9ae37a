"""Reading and writing wallets, inside a caller's unit of work.

Decides that money in a wallet moves only here, each time by one UPDATE whose condition is the guard: nothing is spent
that is not there. Whether an order may be paid from it, and exactly once, is the reservation's and the order's affair.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, func, insert, select, update

from o2o_domain import ledger as postings
from o2o_platform.accounts.tables import accounts
from o2o_platform.errors import PlatformError, Unprocessable
from o2o_platform.kit.prepared import Prepared
from o2o_platform.ledger.repository import post
from o2o_platform.wallets.tables import top_ups, wallets

_FEN: BindParameter[int] = bindparam("fen")
_FIND = Prepared(select(wallets.c.balance_fen, wallets.c.held_fen).where(wallets.c.user_id == bindparam("the_user")))
_OPEN = Prepared(insert(wallets))
_TOPPED = Prepared(select(top_ups).where(top_ups.c.key == bindparam("the_key")))
_TOP_UP = Prepared(insert(top_ups))


def _moves(*guards: ColumnElement[bool], **columns: ColumnElement[int]) -> Prepared:
    return Prepared(update(wallets).where(wallets.c.user_id == bindparam("the_user"), *guards).values(**columns))


_CREDIT = _moves(balance_fen=wallets.c.balance_fen + _FEN)
_HOLD = _moves(
    wallets.c.balance_fen >= _FEN, balance_fen=wallets.c.balance_fen - _FEN, held_fen=wallets.c.held_fen + _FEN
)
_CAPTURE = _moves(wallets.c.held_fen >= _FEN, held_fen=wallets.c.held_fen - _FEN)
_RELEASE = _moves(
    wallets.c.held_fen >= _FEN, balance_fen=wallets.c.balance_fen + _FEN, held_fen=wallets.c.held_fen - _FEN
)


@dataclass(frozen=True, slots=True)
class Wallet:
    """What a user may spend, and what orders hold."""

    balance_fen: int
    held_fen: int


def find(conn: Connection, user_id: int) -> Wallet:
    """The user's wallet; whoever never had money in it has an empty one."""
    row = _FIND.first(conn, the_user=user_id)
    return Wallet(0, 0) if row is None else Wallet(row.balance_fen, row.held_fen)


def top_up(conn: Connection, user_id: int, fen: int, key: str, at: float) -> bool:
    """Money came in from outside. False if this key was told before: nothing is done then.

    Raises Unprocessable (`idempotency_key_reused`) if the key stands for another top-up.
    """
    known = _TOPPED.first(conn, the_key=key)
    if known is not None:
        if (known.user_id, known.amount_fen) != (user_id, fen):
            raise Unprocessable("idempotency_key_reused", f"the key {key} stands for another top-up")
        return False
    _TOP_UP.add(conn, key=key, user_id=user_id, amount_fen=fen, at=at)
    credit(conn, user_id, fen)
    post(conn, postings.topped_up(fen), order_id=None, reason="topped_up", at=at)
    return True


def credit(conn: Connection, user_id: int, fen: int) -> None:
    """Money comes in: a top-up, or the refund of an order that was paid from the wallet."""
    if _CREDIT.run(conn, the_user=user_id, fen=fen) != 1:
        _OPEN.add(conn, user_id=user_id, balance_fen=fen, held_fen=0)


def hold(conn: Connection, user_id: int, fen: int) -> bool:
    """Reserve money for an order; False if there is too little."""
    return fen == 0 or _HOLD.run(conn, the_user=user_id, fen=fen) == 1


def capture(conn: Connection, user_id: int, fen: int) -> None:
    """Spend what is held. Raises PlatformError if so much is not held: the books are wrong."""
    _must(fen == 0 or _CAPTURE.run(conn, the_user=user_id, fen=fen) == 1, user_id, fen)


def release(conn: Connection, user_id: int, fen: int) -> None:
    """What is held may be spent again. Raises PlatformError if so much is not held."""
    _must(fen == 0 or _RELEASE.run(conn, the_user=user_id, fen=fen) == 1, user_id, fen)


def _must(done: bool, user_id: int, fen: int) -> None:
    if not done:
        raise PlatformError("wallet_not_held", f"the wallet of user {user_id} holds less than {fen} fen")


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The run table `wallets`, with the users' refs; `topped_up_fen` is all that ever came in from outside."""
    came = (
        select(top_ups.c.user_id, func.sum(top_ups.c.amount_fen).label("fen"))
        .group_by(top_ups.c.user_id)
        .subquery("came")
    )
    query = (
        select(wallets, accounts.c.ref.label("user_ref"), came.c.fen)
        .join(accounts, accounts.c.id == wallets.c.user_id)
        .outerjoin(came, came.c.user_id == wallets.c.user_id)
        .order_by(wallets.c.user_id)
    )
    for row in conn.execute(query):
        yield {
            "user_id": row.user_id,
            "user_ref": row.user_ref,
            "balance_fen": row.balance_fen,
            "held_fen": row.held_fen,
            "topped_up_fen": int(row.fen or 0),
        }
