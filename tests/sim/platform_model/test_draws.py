"""Draws: the stages' means and spreads, faults' shares, and common random numbers between policies."""

from __future__ import annotations

import numpy as np
import pytest

from o2o_scenarios.schema import PlatformSpec, PrinterFaultsSpec, StageSpec
from o2o_sim.platform_model.service_times import ServiceTimes, stage_s
from o2o_sim.printers.faults import FaultDraws, PrinterFault


def test_a_stage_has_its_mean_and_coefficient_of_variation():
    times = np.array(stage_s(StageSpec(mean_ms=8.0, cv=0.5), 3, "test", 40_000))
    assert times.mean() == pytest.approx(0.008, rel=0.02)
    assert times.std() / times.mean() == pytest.approx(0.5, rel=0.03)


def test_a_stage_without_time_or_without_spread_is_constant():
    assert stage_s(StageSpec(mean_ms=0.0), 3, "test", 3) == [0.0, 0.0, 0.0]
    assert stage_s(StageSpec(mean_ms=5.0, cv=0.0), 3, "test", 2) == pytest.approx([0.005, 0.005])


def test_a_slower_stage_keeps_each_orders_luck_and_leaves_other_stages_alone():
    fast, slow = PlatformSpec(), PlatformSpec(commit=StageSpec(mean_ms=60.0))
    one, other = ServiceTimes(fast, 7, 50), ServiceTimes(slow, 7, 50)
    assert other.commit == pytest.approx([10.0 * value for value in one.commit])
    assert (other.accept, other.send, other.event) == (one.accept, one.send, one.event)
    assert ServiceTimes(fast, 8, 50).accept != one.accept
    assert ServiceTimes(fast, 7, 80).accept[:50] == one.accept


def test_fault_shares_and_that_more_of_one_kind_moves_no_other():
    few = FaultDraws(PrinterFaultsSpec(paper_end=0.1, lost_ack=0.1), 7, 5000)
    more = FaultDraws(PrinterFaultsSpec(paper_end=0.1, lost_ack=0.3), 7, 5000)
    for kind in (PrinterFault.PAPER_END, PrinterFault.LOST_ACK):
        hit = {order for order in range(5000) if few.fault(order) is kind}
        assert len(hit) / 5000 == pytest.approx(0.1, abs=0.02)
        assert hit <= {order for order in range(5000) if more.fault(order) is kind}
    assert few.fault(0) is None or few.repair_s(0) > 0


def test_repairs_take_their_mean():
    draws = FaultDraws(PrinterFaultsSpec(offline=1.0, repair_mean_s=120.0), 7, 5000)
    assert np.mean([draws.repair_s(order) for order in range(5000)]) == pytest.approx(120.0, rel=0.05)
