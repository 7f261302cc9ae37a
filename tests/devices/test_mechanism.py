"""The paper path (A14): exact times, paper, interruptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_devices.errors import ProfileError
from o2o_devices.mechanism import GENERIC_58, GENERIC_80, Fault, Mechanism, Printed, Profile, profile_for

PLAIN = Profile(mm_s=100.0, cut_s=0.5, roll_mm=1000.0, near_end_mm=100.0)


def test_worked_example_of_the_docstrings() -> None:
    mechanism = Mechanism(GENERIC_80)
    assert mechanism.length_mm(20, 2) == 99.0
    assert mechanism.start(99.0, 10.0) == Printed(10.0 + 99.0 / 200.0 + 0.3)


def test_columns_of_both_widths() -> None:
    assert (GENERIC_80.columns, GENERIC_58.columns) == (48, 32)


def test_jobs_queue_behind_each_other_and_idle_time_is_not_work() -> None:
    mechanism = Mechanism(PLAIN)
    assert mechanism.start(100.0, 0.0) == Printed(1.5)
    assert mechanism.start(100.0, 1.0) == Printed(3.0)
    assert mechanism.start(100.0, 10.0) == Printed(11.5)


def test_a_ticket_in_parts_takes_as_long_as_in_one() -> None:
    mechanism = Mechanism(PLAIN)
    mechanism.start(30.0, 0.0, cut=False)
    mechanism.start(70.0, 0.0, cut=False)
    outcome = mechanism.start(0.0, 0.0)
    assert isinstance(outcome, Printed)
    assert outcome.done_at == pytest.approx(1.5)


def test_paper_end_in_mid_ticket_stops_where_the_roll_ends() -> None:
    mechanism = Mechanism(PLAIN, paper_mm=50.0)
    assert mechanism.start(80.0, 2.0) == Fault("paper_end", 2.5, 50.0)
    assert not mechanism.paper_end(2.4)
    assert mechanism.paper_end(2.5)
    assert mechanism.start(80.0, 3.0) == Fault("paper_end", 3.0, 0.0)
    mechanism.refill()
    assert not mechanism.paper_end(3.0)
    assert mechanism.start(80.0, 3.0) == Printed(4.3)


def test_near_end_shows_when_the_paper_has_passed_the_sensor_not_when_the_job_is_booked() -> None:
    mechanism = Mechanism(PLAIN, paper_mm=300.0)
    mechanism.start(250.0, 0.0)
    assert not mechanism.near_end(1.9)
    assert mechanism.near_end(2.0)
    assert not mechanism.paper_end(2.5)


def test_cover_opened_in_mid_ticket_gives_back_the_rest() -> None:
    mechanism = Mechanism(PLAIN)
    mechanism.start(100.0, 0.0)
    mechanism.start(100.0, 0.0)
    assert mechanism.open_cover(0.25) == Fault("cover_open", 0.25, 25.0)
    assert mechanism.paper_mm == 975.0
    assert mechanism.odometer_mm(5.0) == 25.0
    assert mechanism.start(10.0, 1.0) == Fault("cover_open", 1.0)
    mechanism.close_cover()
    assert mechanism.start(100.0, 1.0) == Printed(2.5)


def test_power_cut_during_the_cut_is_a_fault_after_the_last_line() -> None:
    mechanism = Mechanism(PLAIN)
    mechanism.start(100.0, 0.0)
    assert mechanism.power_off(1.2) == Fault("power_off", 1.2, 100.0)
    assert mechanism.start(1.0, 2.0) == Fault("power_off", 2.0)
    mechanism.power_on()
    assert mechanism.power_off(9.0) is None


def test_offline_refuses_new_work_and_finishes_the_old() -> None:
    mechanism = Mechanism(PLAIN)
    mechanism.start(100.0, 0.0)
    mechanism.set_online(False)
    assert mechanism.start(1.0, 0.1) == Fault("offline", 0.1)
    assert mechanism.odometer_mm(1.0) == 100.0


@pytest.mark.parametrize(
    "bad", [{"mm_s": 0.0}, {"width_mm": -1.0}, {"cut_s": -0.1}, {"buffer_bytes": 3}, {"roll_mm": 0.0}]
)
def test_impossible_profiles_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ProfileError):
        Profile(**bad)  # type: ignore[arg-type]


def test_profile_of_a_scenario() -> None:
    profile = profile_for("58mm", mm_s=70.0)
    assert (profile.dots, profile.mm_s, profile.roll_mm) == (384, 70.0, GENERIC_58.roll_mm)
    with pytest.raises(ProfileError, match="58mm, 80mm"):
        profile_for("112mm")


@given(
    st.lists(st.tuples(st.floats(0.0, 400.0), st.floats(0.0, 5.0)), max_size=20),
    st.floats(10.0, 3000.0),
)
def test_paper_is_neither_made_nor_lost_and_time_never_goes_back(jobs: list[tuple[float, float]], roll: float) -> None:
    mechanism = Mechanism(PLAIN, paper_mm=roll)
    now, last_end = 0.0, 0.0
    for length, gap in jobs:
        now += gap
        outcome = mechanism.start(length, now)
        end = outcome.done_at if isinstance(outcome, Printed) else outcome.at
        assert end >= now
        if isinstance(outcome, Printed):
            assert end >= last_end
            last_end = end
        assert mechanism.paper_mm >= 0.0
        assert mechanism.odometer_mm(now) + mechanism.paper_left_mm(now) == pytest.approx(roll)
        assert 0.0 <= mechanism.pending_mm(now) <= mechanism.total_mm
