"""Voucher holder: users who bought a deal and go to its merchant to redeem the voucher, once.

Decides when they go. Whether they go at all, and after how long, stands in the trace; whether the voucher is good is
the platform's decision.
"""

from __future__ import annotations

from functools import partial

from o2o_sim.actors.scene import Scene, Steps, insist


class VoucherHolders:
    """All users who hold vouchers."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def issued(self, order_id: int) -> None:
        """The voucher of this deal order is out."""
        after_s = self._scene.errands.redeem_after_s[order_id]
        if after_s is not None:
            self._scene.env.process(self._redeem(order_id, after_s))

    def _redeem(self, order_id: int, after_s: float) -> Steps:
        scene = self._scene
        yield scene.env.timeout(scene.tempo.run_s(after_s))
        yield from insist(scene.env, partial(scene.port.redeem, scene.errands.merchant_id[order_id], order_id))
