"""Printers that exist: their figures and sources, overheating, full buffers."""

from dataclasses import fields, replace

import pytest

from o2o_devices.errors import ProfileError
from o2o_devices.escpos.status import realtime
from o2o_devices.mechanism import GENERIC_80, Mechanism, Printed, Profile
from o2o_devices.models import MODELS, POS_5890, SOURCES, TM_T88III, source
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

HOT = Profile(mm_s=100.0, cut_s=0.0, heat_mm=500.0, cool_s=10.0)


def test_columns_are_those_of_the_published_profiles() -> None:
    assert {name: profile.columns for name, profile in MODELS.items()} == {
        "epson-tm-t88iii": 42,
        "epson-tm-t20ii": 48,
        "sprt-sp-pos58iv": 32,
        "zjiang-pos-5890": 32,
    }


def test_figures_name_their_source_or_are_assumed() -> None:
    names = {field.name for field in fields(Profile)}
    for model, sources in SOURCES.items():
        assert set(sources) <= names
        assert len(sources) >= 2, model
    assert set(SOURCES) == set(MODELS)
    assert "150 mm/s" in source(TM_T88III, "mm_s")
    assert source(POS_5890, "mm_s") == "assumed"
    with pytest.raises(KeyError):
        source(POS_5890, "colour")


def test_a_hot_head_rests_and_goes_on() -> None:
    mechanism = Mechanism(HOT)
    assert mechanism.start(400.0, 0.0) == Printed(4.0)
    assert mechanism.start(300.0, 0.0) == Printed(5.0 + 10.0 + 2.0)  # 100 mm more, a rest, 200 mm
    assert [mechanism.overheated(at) for at in (4.9, 5.0, 14.9, 15.0)] == [False, True, True, False]
    assert mechanism.odometer_mm(10.0) == pytest.approx(500.0)
    assert mechanism.reach_at(600.0) == pytest.approx(16.0)


def test_a_head_at_rest_cools() -> None:
    mechanism = Mechanism(HOT)
    for n in range(20):  # 200 mm in 2 s, then 8 s of rest: 400 mm's worth of cooling
        assert mechanism.start(200.0, 10.0 * n) == Printed(10.0 * n + 2.0)
    assert not mechanism.overheated(192.0)


def test_a_hot_head_that_was_interrupted_is_as_hot_as_it_was() -> None:
    mechanism = Mechanism(HOT)
    mechanism.start(400.0, 0.0)
    fault = mechanism.open_cover(3.0)
    assert fault is not None
    assert fault.printed_mm == pytest.approx(300.0)
    mechanism.close_cover()
    assert mechanism.start(300.0, 3.0) == Printed(3.0 + 2.0 + 10.0 + 1.0)


def test_an_interruption_in_the_rest_does_not_cool() -> None:
    mechanism = Mechanism(HOT)
    mechanism.start(600.0, 0.0)
    mechanism.open_cover(6.0)
    mechanism.close_cover()
    assert mechanism.overheated(7.0)
    assert mechanism.start(100.0, 7.0) == Printed(16.0)


def test_too_hot_is_said_and_passes_by_itself() -> None:
    sent: list[bytes] = []
    printer = VirtualPrinter(HOT, on_paper=lambda receipt, at: None)
    printer.receive(b"\x1da\xff", 0.0)
    printer.receive(b"\x1bJ\xff" * 20, 0.0)  # 637.5 mm
    while (at := printer.next_at()) is not None:
        sent.append(printer.advance(at))
    assert [status for status in sent if status] == [b"\x18\x40\x00\x00", b"\x10\x00\x00\x00"]
    assert realtime(3, printer.status(6.0)) == b"\x52"
    assert realtime(1, printer.status(6.0)) == b"\x1a"
    assert realtime(1, printer.status(15.1)) == b"\x12"


def test_a_cheap_buffer_drops_what_it_cannot_hold_and_still_answers() -> None:
    paper: list[Receipt] = []
    cheap = Profile(mm_s=10.0, line_dots=40, cut_s=0.0, buffer_bytes=64, overrun="drop")
    printer = VirtualPrinter(cheap, on_paper=lambda receipt, at: paper.append(receipt))
    lines = [b"line %02d\n" % n for n in range(20)]
    for line in lines:
        assert printer.intake() > 0
        printer.receive(line, 0.0)
    assert printer.receive(b"\x10\x04\x01", 0.0) == b"\x12"
    printer.advance(60.0)
    printer.receive(b"\x1dV\x00", 60.0)
    printer.advance(90.0)
    assert paper[0].text_lines == tuple(f"line {n:02d}" for n in range(8))
    assert printer.counters.bytes_dropped == 12 * 8 + 3


def test_a_good_buffer_answers_in_its_reserve_and_loses_nothing() -> None:
    good = Profile(mm_s=10.0, line_dots=40, cut_s=0.0, buffer_bytes=64, reserve_bytes=16)
    printer = VirtualPrinter(good, on_paper=lambda receipt, at: None)
    printer.open_cover(0.0)
    printer.receive(b"x" * 7 + b"\n" + b"y" * 56, 0.0)
    assert (printer.room(), printer.intake()) == (0, 16)
    assert printer.receive(b"\x10\x04\x02", 1.0) == b"\x16"
    assert printer.intake() == 13


@pytest.mark.parametrize("figure", ["heat_mm", "cool_s"])
def test_impossible_heat_is_refused(figure: str) -> None:
    with pytest.raises(ProfileError, match=figure):
        replace(GENERIC_80, **{figure: 0.0})
