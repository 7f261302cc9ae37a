"""Phases in any order, any number of times: the sums of stock, coupon and wallet are always right (W10)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from o2o_domain import tcc
from o2o_domain.refusal import Refused
from o2o_domain.tcc import Branch, Do, Fence, Phase

ORDERS = 4
STOCK, BUDGET_FEN, BALANCE_FEN = 5, 1200, 5000
PIECES, OFF_FEN, TOTAL_FEN = 2, 500, 1900

MESSAGES = st.lists(st.tuples(st.integers(0, ORDERS - 1), st.sampled_from(Branch), st.sampled_from(Phase)), max_size=60)


@dataclass
class Books:
    """The three branches as plain counters; each does its work exactly when the table says Do."""

    level: int = STOCK
    reserved: int = 0
    returned: int = 0
    committed_fen: int = 0
    redeemed: int = 0
    balance_fen: int = BALANCE_FEN
    held_fen: int = 0
    captured_fen: int = 0
    fences: dict[tuple[int, Branch], Fence] = field(default_factory=dict)

    def ask(self, order: int, branch: Branch, phase: Phase) -> bool:
        """One message to a branch: work and fence together, or neither. False: it was refused."""
        answer = tcc.decide(self.fences.get((order, branch)), phase)
        if isinstance(answer, Refused):
            return False
        if isinstance(answer, Do) and not getattr(self, f"_{branch}")(phase):
            return False  # sold out, no budget, no money: nothing was written
        self.fences[order, branch] = answer.fence
        return True

    def _stock(self, phase: Phase) -> bool:
        if phase is Phase.TRY:
            if self.level < PIECES:
                return False
            self.level, self.reserved = self.level - PIECES, self.reserved + PIECES
        elif phase is Phase.CANCEL:
            self.level, self.returned = self.level + PIECES, self.returned + PIECES
        return True

    def _coupon(self, phase: Phase) -> bool:
        if phase is Phase.TRY:
            if self.committed_fen + OFF_FEN > BUDGET_FEN:
                return False
            self.committed_fen, self.redeemed = self.committed_fen + OFF_FEN, self.redeemed + 1
        elif phase is Phase.CANCEL:
            self.committed_fen, self.redeemed = self.committed_fen - OFF_FEN, self.redeemed - 1
        return True

    def _balance(self, phase: Phase) -> bool:
        if phase is Phase.TRY:
            if self.balance_fen < TOTAL_FEN:
                return False
            self.balance_fen, self.held_fen = self.balance_fen - TOTAL_FEN, self.held_fen + TOTAL_FEN
        elif phase is Phase.CONFIRM:
            self.held_fen, self.captured_fen = self.held_fen - TOTAL_FEN, self.captured_fen + TOTAL_FEN
        else:
            self.balance_fen, self.held_fen = self.balance_fen + TOTAL_FEN, self.held_fen - TOTAL_FEN
        return True

    def count(self, branch: Branch, *fences: Fence) -> int:
        return sum(fence in fences for (_, own), fence in self.fences.items() if own is branch)


def _check(books: Books) -> None:
    standing = (Fence.TRIED, Fence.CONFIRMED)
    assert STOCK - books.reserved + books.returned == books.level
    assert books.level == STOCK - PIECES * books.count(Branch.STOCK, *standing)
    assert books.redeemed == books.count(Branch.COUPON, *standing)
    assert books.committed_fen == OFF_FEN * books.redeemed
    assert 0 <= books.committed_fen <= BUDGET_FEN
    assert books.balance_fen + books.held_fen + books.captured_fen == BALANCE_FEN
    assert books.held_fen == TOTAL_FEN * books.count(Branch.BALANCE, Fence.TRIED)
    assert books.captured_fen == TOTAL_FEN * books.count(Branch.BALANCE, Fence.CONFIRMED)
    assert min(books.level, books.balance_fen, books.held_fen) >= 0


@given(MESSAGES)
def test_any_sequence_of_messages_leaves_the_sums_right(messages: list[tuple[int, Branch, Phase]]) -> None:
    books = Books()
    for message in messages:
        books.ask(*message)
        _check(books)


@given(MESSAGES)
def test_doubled_messages_change_nothing(messages: list[tuple[int, Branch, Phase]]) -> None:
    once, twice = Books(), Books()
    for message in messages:
        answer = once.ask(*message)
        assert [twice.ask(*message), twice.ask(*message)] == [answer, answer]
        assert once == twice


@given(st.lists(st.sampled_from([Phase.CONFIRM, Phase.CANCEL]), min_size=1, max_size=6), st.permutations(list(Branch)))
def test_a_coordinator_that_asks_every_branch_the_same_leaves_no_mixed_fences(
    asked: list[Phase], branches: list[Branch]
) -> None:
    """Whatever is asked for afterwards: the first decision stands in every branch."""
    books = Books()
    for branch in branches:
        assert books.ask(0, branch, Phase.TRY)
    for phase in asked:
        for branch in branches:
            books.ask(0, branch, phase)
            _check(books)
    assert set(books.fences.values()) == {Fence.CONFIRMED if asked[0] is Phase.CONFIRM else Fence.CANCELLED}


@given(st.permutations([Phase.TRY, Phase.CANCEL, Phase.CANCEL, Phase.TRY]))
def test_a_cancelled_order_holds_nothing_in_whichever_order_its_messages_come(phases: list[Phase]) -> None:
    """Empty rollback and suspension."""
    books = Books()
    for phase in phases:
        for branch in Branch:
            books.ask(0, branch, phase)
    assert set(books.fences.values()) == {Fence.CANCELLED}
    assert (books.level, books.committed_fen, books.balance_fen, books.held_fen) == (STOCK, 0, BALANCE_FEN, 0)
