"""The kill plan: the seed's, complete, and on time."""

from __future__ import annotations

from collections import Counter

from o2o_cli.chaos.plan import KINDS, Kill, plan


def test_a_plan_is_its_seeds() -> None:
    assert plan(7, 50, every_s=2.0) == plan(7, 50, every_s=2.0)
    assert plan(7, 50, every_s=2.0) != plan(8, 50, every_s=2.0)
    # A longer campaign begins as the shorter one.
    assert plan(7, 50, every_s=2.0)[:10] == plan(7, 10, every_s=2.0)


def test_this_plan_never_changes() -> None:
    """What a report says of seed 7 must be what seed 7 does tomorrow."""
    assert [kill.kind for kill in plan(7, 7, every_s=2.0)] == [
        "backend", "printers", "dispatcher", "provider", "worker", "redis", "relay",
    ]  # fmt: skip


def test_every_kind_comes_up_in_every_deck() -> None:
    for seed in range(50):
        kinds = [kill.kind for kill in plan(seed, 50, every_s=2.0)]
        assert len(kinds) == 50
        for start in range(0, 49, len(KINDS)):
            assert set(kinds[start : start + len(KINDS)]) == set(KINDS)
        assert max(Counter(kinds).values()) - min(Counter(kinds).values()) <= 1


def test_kills_are_evenly_spaced() -> None:
    assert [kill.at_s for kill in plan(1, 4, every_s=0.5)] == [0.5, 1.0, 1.5, 2.0]


def test_a_pick_is_one_of_those_that_live() -> None:
    assert Kill(0, 1.0, "worker", 0.999).of([5, 6]) == 6
    assert Kill(0, 1.0, "worker", 0.0).of([5, 6]) == 5
    assert Kill(0, 1.0, "worker", 0.5).of([]) is None
    hit = Counter(kill.of([0, 1]) for kill in plan(3, 400, every_s=1.0))
    assert min(hit.values()) > 150
