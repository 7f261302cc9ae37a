"""Try-Confirm-Cancel as a table: duplicates, empty rollback, suspension, and decisions that stand (W10)."""

from __future__ import annotations

import pytest

from o2o_domain import tcc
from o2o_domain.refusal import Refused
from o2o_domain.tcc import Do, Fence, Phase, Skip, Stage, StageEvent


def test_every_cell_has_an_answer() -> None:
    assert set(tcc.TABLE) == {(fence, phase) for fence in (None, *Fence) for phase in Phase}


def test_the_ordinary_ways() -> None:
    assert tcc.decide(None, Phase.TRY) == Do(Fence.TRIED)
    assert tcc.decide(Fence.TRIED, Phase.CONFIRM) == Do(Fence.CONFIRMED)
    assert tcc.decide(Fence.TRIED, Phase.CANCEL) == Do(Fence.CANCELLED)


@pytest.mark.parametrize(
    ("phase", "fence"),
    [(Phase.TRY, Fence.TRIED), (Phase.CONFIRM, Fence.CONFIRMED), (Phase.CANCEL, Fence.CANCELLED)],
)
def test_asked_twice_is_done_once(phase: Phase, fence: Fence) -> None:
    """Idempotence."""
    assert tcc.decide(fence, phase) == Skip(fence)


def test_a_cancel_without_a_try_does_nothing_and_is_remembered() -> None:
    """Empty rollback, and then no suspension: the try that comes after it holds nothing."""
    empty = tcc.decide(None, Phase.CANCEL)
    assert empty == Skip(Fence.CANCELLED)
    assert tcc.decide(empty.fence, Phase.TRY) == Refused("already_cancelled")


def test_a_decision_stands() -> None:
    assert tcc.decide(Fence.CANCELLED, Phase.CONFIRM) == Refused("already_cancelled")
    assert tcc.decide(Fence.CONFIRMED, Phase.CANCEL) == Refused("already_confirmed")
    assert tcc.decide(None, Phase.CONFIRM) == Refused("not_tried")


@pytest.mark.parametrize("fence", sorted(tcc.TERMINAL))
@pytest.mark.parametrize("phase", list(Phase))
def test_nothing_moves_a_terminal_fence(fence: Fence, phase: Phase) -> None:
    answer = tcc.decide(fence, phase)
    assert isinstance(answer, Refused) or answer == Skip(fence)


def test_a_decided_reservation_cannot_be_given_up() -> None:
    assert isinstance(tcc.step(Stage.CONFIRMING, StageEvent.GIVE_UP), Refused)
    assert isinstance(tcc.step(Stage.CANCELLING, StageEvent.DECIDE), Refused)
