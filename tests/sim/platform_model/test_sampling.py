"""Levels and counts over time, told afterwards."""

from __future__ import annotations

from o2o_sim.sampling import counts, instants, level, long_form


def test_levels_counts_and_rows():
    at = instants(30.0)
    assert at.tolist() == [0.0, 10.0, 20.0, 30.0]
    assert level(at, [0.0, 5.0, 20.0], [10.0, None, 21.0]).tolist() == [1, 1, 2, 1]
    assert counts(at, [0.0, 0.1, 10.0, 25.0, 99.0]).tolist() == [1, 2, 0, 1]
    assert level(at, [], []).tolist() == [0, 0, 0, 0]
    rows = long_form(at[:1], {"a": counts(at[:1], [0.0]), "b": level(at[:1], [], [])})
    assert rows == [{"at": 0.0, "metric": "a", "value": 1.0}, {"at": 0.0, "metric": "b", "value": 0.0}]
