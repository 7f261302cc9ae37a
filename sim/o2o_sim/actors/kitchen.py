"""Kitchen: a merchant who hears of orders by paper or by a call, takes them and cooks on a few slots (A13, A14).

Decides when a kitchen accepts, how long an order waits and cooks, and that no order is cooked twice. What a ticket
says, and whether an order may be taken, is left to the platform; the cooking time comes from the trace.
"""

from __future__ import annotations

from functools import partial

from o2o_sim.actors.scene import Scene, Steps, insist
from o2o_sim.city.model import Merchant
from o2o_sim.servers import Servers

CLOSING_GRACE_MIN = 15
"""Orders whose ticket appears this long after closing time are still cooked: the stove is hot."""


class Kitchen:
    """One merchant's kitchen."""

    def __init__(self, scene: Scene, merchant: Merchant) -> None:
        self.merchant = merchant
        self.slots = Servers(merchant.slots)
        self.orders = 0
        """Orders accepted."""
        self._scene = scene
        self._seen: set[int] = set()

    def run(self) -> Steps:
        """Read the inbox for ever. A reprint, or a call about an order whose ticket is there, changes nothing."""
        scene = self._scene
        inbox = scene.port.merchant_inbox(self.merchant.merchant_id)
        while True:
            message = yield inbox.get()
            if message.order_id not in self._seen:
                self._seen.add(message.order_id)
                scene.env.process(self._serve(message.order_id))

    def _serve(self, order_id: int) -> Steps:
        scene, merchant_id = self._scene, self.merchant.merchant_id
        if self._closed():
            yield from insist(scene.env, partial(scene.port.reject, merchant_id, order_id, "kitchen_closed"))
            scene.counters.put(order_id, on_counter=False)
            return
        reply = yield from insist(scene.env, partial(scene.port.accept, merchant_id, order_id))
        if not reply.ok:
            scene.counters.put(order_id, on_counter=False)
            return
        self.orders += 1
        now = scene.env.now
        cook_s = scene.tempo.run_s(scene.errands.prep_s[order_id])
        yield scene.env.timeout(self.slots.book(now, cook_s) + cook_s - now)
        reply = yield from insist(scene.env, partial(scene.port.ready, merchant_id, order_id))
        scene.counters.put(order_id, on_counter=reply.ok)

    def _closed(self) -> bool:
        """Whether the merchant has gone home: later than the grace after closing, before the next opening."""
        after_closing = (self._scene.minute_of_day - self.merchant.close_min) % 1440
        closed_for = (self.merchant.open_min - self.merchant.close_min) % 1440
        return CLOSING_GRACE_MIN <= after_closing < closed_for
