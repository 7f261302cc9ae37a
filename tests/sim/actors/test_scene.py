"""What actors share: the trace's columns, the two clocks, counters where dishes change hands."""

from __future__ import annotations

import pytest
from simpy import Environment

from o2o_scenarios.trace import Trace
from o2o_sim.actors.scene import Counters, Errands
from o2o_sim.tempo import Tempo


def test_errands_are_the_columns_by_order_id(town, intents):
    _, city = town()
    errands = Errands.of(intents(city, {"prep_s": 7.0}, {"intended_s": 1.0, "merchant_id": 2, "review_stars": 3}))
    assert errands.prep_s == [7.0, 300.0]
    assert errands.merchant_id == [0, 2]
    assert errands.review_stars == [0, 3]
    assert errands.redeem_after_s == [None, None]


def test_a_trace_with_gaps_in_its_ids_is_refused(town, intents):
    _, city = town()
    trace = intents(city, {}, {"intended_s": 1.0})
    with pytest.raises(ValueError, match="must be 0, 1, 2"):
        Errands.of(Trace(trace.table.slice(1)))


def test_tempo_converts_both_ways():
    tempo = Tempo(20.0)
    assert tempo.run_s(600.0) == 30.0
    assert tempo.city_s(30.0) == 600.0
    with pytest.raises(ValueError, match="positive"):
        Tempo(0.0)


def test_a_counter_serves_once_whoever_comes_first():
    env = Environment()
    counters = Counters(env)
    counters.put(1, on_counter=True)
    counters.put(1, on_counter=False)
    assert counters.served(1).value is True
    waiting = counters.served(2)
    assert not waiting.triggered
    counters.put(2, on_counter=False)
    assert waiting.value is False
