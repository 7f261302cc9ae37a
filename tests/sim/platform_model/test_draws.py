"""Draws: the stages' means and spreads, faults' shares, and common random numbers between policies."""

from __future__ import annotations

import numpy as np
import pytest

from o2o_devices.faults import KINDS
from o2o_scenarios.printer_faults import PrinterFaultsSpec
from o2o_scenarios.schema import PlatformSpec, StageSpec
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


def test_faults_are_those_of_the_virtual_printers_and_of_the_schema():
    """One list: what a scenario can ask for is what a printer can do (A14)."""
    assert {kind.value for kind in PrinterFault} == set(KINDS)
    assert list(PrinterFaultsSpec().shares()) == [kind.value for kind in PrinterFault]


def test_a_further_kind_of_fault_moves_no_ticket_of_the_others():
    few = FaultDraws(PrinterFaultsSpec(paper_end=0.1, lost_ack=0.1), 7, 5000)
    more = FaultDraws(PrinterFaultsSpec(paper_end=0.1, lost_ack=0.1, half_open=0.2, torn_share=0.5), 7, 5000)
    for order in range(5000):
        if few.fault(order) is not None:
            assert (more.fault(order), more.repair_s(order)) == (few.fault(order), few.repair_s(order))
    assert more.counts()["half_open"] > 700
    assert all(5.0 <= more.after_mm(order) <= 60.0 for order in range(5000))


def test_what_shows_before_anything_is_sent():
    draws = FaultDraws(PrinterFaultsSpec(paper_end=0.5, offline=0.3, cover_open=0.9, torn_share=0.4), 7, 5000)
    before = {
        kind: [draws.before(order) for order in range(5000) if draws.fault(order) is kind] for kind in PrinterFault
    }
    assert all(before[PrinterFault.OFFLINE])
    assert not any(before[PrinterFault.COVER_OPEN])
    assert 0.55 < sum(before[PrinterFault.PAPER_END]) / len(before[PrinterFault.PAPER_END]) < 0.65
