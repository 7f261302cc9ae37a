"""Catalogue: what can be ordered, and the orders of a trace as records with their dishes.

Decides how a trace's items become priced lines: names and prices are the menu's. What may be sold is left to the rules.
"""

from __future__ import annotations

from o2o_domain.deals import Deal
from o2o_domain.pricing import Line
from o2o_scenarios.trace import Trace
from o2o_sim.city.model import City
from o2o_sim.platform_model.records import Order
from o2o_sim.tempo import Tempo

UNLISTED = "?"
"""Name of a dish that is on no menu; the stock rule refuses it."""


class Catalogue:
    """Menus and deals of a city, and the orders of a trace."""

    def __init__(self, city: City, trace: Trace, tempo: Tempo) -> None:
        self.deals = {
            deal.deal_id: Deal(
                deal.deal_id,
                deal.merchant_id,
                deal.title,
                deal.price_fen,
                deal.list_fen,
                deal.stock,
                tempo.run_s(deal.valid_until_s),
            )
            for deal in city.deals
        }
        self._dishes = {
            dish.dish_id: (dish.name, dish.price_fen) for merchant in city.merchants for dish in merchant.menu
        }
        table = trace.table.combine_chunks()
        items = table.column("items").combine_chunks()
        self._offsets: list[int] = items.offsets.to_pylist()
        self._dish_ids: list[int] = items.values.field("dish_id").to_pylist()
        self._qtys: list[int] = items.values.field("qty").to_pylist()
        names = (
            *("intent_id", "kind", "user_id", "segment", "merchant_id", "deal_id", "coupon_code"),
            *("drop_lat", "drop_lng"),
        )
        columns = [table.column(name).to_pylist() for name in names]
        columns.append([tempo.run_s(intended_s) for intended_s in table.column("intended_s").to_pylist()])
        self.orders = [Order(*row) for row in zip(*columns, strict=True)]
        self.pay_confirm_s: list[float] = table.column("pay_confirm_s").to_pylist()
        self.pay_callback_s: list[float] = table.column("pay_callback_s").to_pylist()
        self.pay_refused: list[bool] = table.column("pay_refused").to_pylist()
        self.users: set[int] = set(table.column("user_id").to_pylist())
        self.pay_balance: list[bool] = table.column("pay_balance").to_pylist()
        self.notes: list[str] = table.column("note").to_pylist()
        self.drop_node: list[int] = table.column("drop_node").to_pylist()

    def lines(self, order_id: int) -> tuple[Line, ...]:
        """The dishes of an order at the menu's prices; none for a deal."""
        begin, end = self._offsets[order_id], self._offsets[order_id + 1]
        dishes, unlisted = self._dishes, (UNLISTED, 0)
        return tuple(
            Line(dish_id, (dish := dishes.get(dish_id, unlisted))[0], qty, dish[1])
            for dish_id, qty in zip(self._dish_ids[begin:end], self._qtys[begin:end], strict=True)
        )
