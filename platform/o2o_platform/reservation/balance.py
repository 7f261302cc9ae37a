"""The branch `balance`: money of the user's wallet, held for an order, then spent or released."""

from __future__ import annotations

from sqlalchemy import Connection

from o2o_domain.tcc import Branch, Phase
from o2o_platform.errors import Conflict
from o2o_platform.reservation import asked
from o2o_platform.reservation.fences import enter
from o2o_platform.wallets import repository as wallets


def try_(conn: Connection, order_id: int, user_id: int, fen: int, now: float) -> None:
    """Hold the money. Raises Conflict (`insufficient_balance`, `already_cancelled`)."""
    if enter(conn, order_id, Branch.BALANCE, Phase.TRY, now) and not wallets.hold(conn, user_id, fen):
        raise too_little(fen)


def too_little(fen: int) -> Conflict:
    """What is said of an order that the wallet cannot pay."""
    return Conflict("insufficient_balance", f"the wallet holds less than {fen} fen")


def confirm(conn: Connection, order_id: int, now: float) -> None:
    """The money is spent. Raises Conflict (`not_tried`, `already_cancelled`)."""
    if enter(conn, order_id, Branch.BALANCE, Phase.CONFIRM, now):
        wanted = asked.of(conn, order_id)
        wallets.capture(conn, wanted.user_id, wanted.balance_fen)


def cancel(conn: Connection, order_id: int, now: float) -> None:
    """The money may be spent again. Raises Conflict (`already_confirmed`)."""
    if enter(conn, order_id, Branch.BALANCE, Phase.CANCEL, now):
        wanted = asked.of(conn, order_id)
        wallets.release(conn, wanted.user_id, wanted.balance_fen)
