"""Fence book: what each branch of an order's reservation has done, by the domain's rule (W10).

Decides nothing but bookkeeping. In the model a decision and its work are one instant, so a branch's work is done where
the rule says Do, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from o2o_domain.refusal import Refused
from o2o_domain.tcc import Branch, Do, Fence, Phase, decide
from o2o_sim.platform_model.desk import DecisionLog


class FenceBook:
    """Fences of all orders, by order and branch."""

    def __init__(self, decisions: DecisionLog | None) -> None:
        self._fences: dict[int, dict[Branch, Fence]] = {}
        self._decisions = decisions

    def of(self, order_id: int) -> tuple[Branch, ...]:
        """The branches that the order uses."""
        return tuple(self._fences.get(order_id, ()))

    def enter(self, order_id: int, branch: Branch, phase: Phase) -> bool:
        """Ask a phase of a branch: True if its work is to be done now."""
        own = self._fences.setdefault(order_id, {})
        fence = own.get(branch)
        answer = decide(fence, phase)
        if self._decisions is not None:
            self._decisions.note("tcc.decide", {"fence": fence, "phase": phase}, answer)
        assert not isinstance(answer, Refused), (order_id, branch, phase, answer)  # the order's own table forbids it
        own[branch] = answer.fence
        return isinstance(answer, Do)

    def rows(self) -> list[tuple[int, str, str]]:
        """(order_id, branch, state), by order."""
        return [
            (order_id, str(branch), str(fence))
            for order_id, own in sorted(self._fences.items())
            for branch, fence in own.items()
        ]


class WalletBook:
    """Wallets of the users of a run, all topped up alike before it; empty if nobody pays from one."""

    def __init__(self, users: set[int], fen: int) -> None:
        self._topped_fen = fen
        self._balance = dict.fromkeys(sorted(users), fen)
        self._held = dict.fromkeys(sorted(users), 0)

    def holds(self, user_id: int, fen: int) -> bool:
        """Whether so much may be spent."""
        return self._balance.get(user_id, 0) >= fen

    def hold(self, user_id: int, fen: int) -> None:
        """Reserve for an order."""
        self._balance[user_id] -= fen
        self._held[user_id] += fen

    def capture(self, user_id: int, fen: int) -> None:
        """Spend what is held."""
        self._held[user_id] -= fen

    def release(self, user_id: int, fen: int) -> None:
        """What is held may be spent again."""
        self._held[user_id] -= fen
        self._balance[user_id] += fen

    def credit(self, user_id: int, fen: int) -> None:
        """The refund of an order that was paid from the wallet."""
        self._balance[user_id] += fen

    def rows(self) -> list[dict[str, Any]]:
        """The run table `wallets`."""
        return [
            {"user_id": user, "balance_fen": fen, "held_fen": self._held[user], "topped_up_fen": self._topped_fen}
            for user, fen in self._balance.items()
        ]
