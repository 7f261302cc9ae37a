"""Voucher desk: vouchers of paid deals, redeemed at most once (A4, A6).

Decides when a voucher is issued (with the payment's commit) and applies the domain's redemption rule.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from simpy import Event, Store

from o2o_domain import deals
from o2o_domain.deals import Redeemed, VoucherEvent, VoucherState
from o2o_domain.orders import OrderEvent
from o2o_domain.refusal import Refused
from o2o_sim.platform_model.catalogue import Catalogue
from o2o_sim.platform_model.desk import NOT_FOUND, OK, Desk, refusal
from o2o_sim.platform_model.order_desk import OrderDesk
from o2o_sim.platform_model.records import Order, Voucher
from o2o_sim.port import Reply, VoucherIssued


class VoucherDesk:
    """Issues and redeems."""

    def __init__(self, desk: Desk, catalogue: Catalogue, orders: OrderDesk, users: Store) -> None:
        self.vouchers: dict[int, Voucher] = {}
        """By order_id, in the order of issue."""
        self._desk = desk
        self._catalogue = catalogue
        self._orders = orders
        self._users = users

    def issue(self, order: Order) -> None:
        """The deal was paid."""
        assert order.deal_id is not None
        valid_until = self._catalogue.deals[order.deal_id].valid_until
        self.vouchers[order.order_id] = Voucher(order, self._desk.env.now, valid_until)
        self._users.put(VoucherIssued(order.order_id))

    def redeem(self, merchant_id: int, order_id: int) -> Event:
        """A merchant scans the voucher."""
        return self._desk.request(
            "merchant",
            "POST /vouchers/{code}/redeem",
            order_id,
            self._desk.service.event["redeem"][order_id],
            partial(self._redeem, merchant_id, order_id),
        )

    def _redeem(self, merchant_id: int, order_id: int) -> Reply:
        voucher = self.vouchers.get(order_id)
        if voucher is None:
            return NOT_FOUND
        facts: dict[str, Any] = {
            "now": self._desk.env.now,
            "valid_until": voucher.valid_until,
            "merchant_matches": voucher.order.merchant_id == merchant_id,
        }
        verdict = deals.redeem(voucher.state, **facts)
        if self._desk.decisions is not None:
            self._desk.decisions.note("deals.redeem", {"state": voucher.state, **facts}, verdict)
        if not isinstance(verdict, Redeemed):
            return refusal(verdict)
        refused = self._orders.step(voucher.order, OrderEvent.REDEEM)
        state = deals.step(voucher.state, VoucherEvent.REDEEM)
        if self._desk.decisions is not None:
            self._desk.decisions.note("deals.step", {"state": voucher.state, "event": VoucherEvent.REDEEM}, state)
        if refused is not None:
            return refusal(refused)
        if isinstance(state, Refused):
            return refusal(state)
        assert isinstance(state, VoucherState)
        voucher.state = state
        voucher.redeemed = self._desk.env.now
        voucher.redemptions += 1
        self._orders.end(voucher.order)
        return OK
