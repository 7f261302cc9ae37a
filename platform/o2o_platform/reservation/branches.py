"""The branches by name, each with its second phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from o2o_domain.tcc import Branch
from o2o_platform.reservation import balance, coupon, stock

SecondPhase = Callable[[Connection, int, float], None]
"""fn(conn, order id, now)."""

CONFIRM: Mapping[Branch, SecondPhase] = {
    Branch.STOCK: stock.confirm,
    Branch.COUPON: coupon.confirm,
    Branch.BALANCE: balance.confirm,
}
CANCEL: Mapping[Branch, SecondPhase] = {
    Branch.STOCK: stock.cancel,
    Branch.COUPON: coupon.cancel,
    Branch.BALANCE: balance.cancel,
}
