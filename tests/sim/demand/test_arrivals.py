"""Arrivals: the rate follows the curve (chi-square, fixed seed), weather and holidays; inversion is exact."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from o2o_scenarios.schema import CurveKnot, DemandSpec
from o2o_sim.chance import stream
from o2o_sim.demand.arrivals import arrivals, circumstances, shape
from o2o_sim.errors import DemandError


def spec(*knots, **fields):
    return DemandSpec(curve=tuple(CurveKnot(at_min=m, weight=w) for m, w in knots), **fields)


LUNCH = spec((660, 0.5), (720, 1.6), (745, 1.6), (780, 0.0), (1080, 0.4))


@pytest.mark.parametrize(
    ("demand", "start_min", "duration_s"),
    [
        (DemandSpec(), 660, 7200.0),
        (LUNCH, 660, 7200.0),
        (LUNCH, 0, 86_400.0),
        (spec((0, 0.2), (700, 2.0), (1440, 1.0)), 1380, 14_400.0),  # over midnight, with a jump there
        (spec((720, 3.0)), 600, 3600.0),  # one knot: level
    ],
)
def test_the_curve_has_mean_one(demand, start_min, duration_s):
    curve = shape(demand, start_min, duration_s)
    assert curve.total() == pytest.approx(duration_s)
    assert curve.start_s[0] == 0.0
    assert curve.end_s[-1] == pytest.approx(duration_s)
    np.testing.assert_allclose(curve.start_s[1:], curve.end_s[:-1])
    assert curve.between(0.0, duration_s / 3) + curve.between(duration_s / 3, duration_s) == pytest.approx(duration_s)


def test_the_rate_is_linear_between_knots():
    curve = shape(LUNCH, 660, 7200.0)
    rate = curve.rate(np.array([0.0, 1800.0, 3600.0, 4000.0, 7199.999]))
    np.testing.assert_allclose(rate / rate[2], [0.5 / 1.6, 1.05 / 1.6, 1.0, 1.0, 0.0], atol=1e-6)


def test_the_curve_goes_round_midnight():
    """A window that starts at 23:00 meets the first knots of the next day."""
    curve = shape(spec((0, 0.2), (60, 1.0), (1440, 1.0)), 1380, 7200.0)
    rate = curve.rate(np.array([0.0, 3599.0, 3601.0, 7200.0]))
    np.testing.assert_allclose(rate / rate[0], [1.0, 1.0, 0.2, 1.0], atol=1e-3)


def test_inversion_is_exact():
    curve = shape(LUNCH, 0, 86_400.0)
    area = np.linspace(0, curve.total(), 999)
    at = curve.invert(area)
    assert (np.diff(at) >= 0).all()
    back = np.asarray([curve.between(0.0, t) for t in at])
    np.testing.assert_allclose(back, area, atol=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_arrivals_follow_the_curve(seed):
    curve = shape(LUNCH, 660, 7200.0).scaled(6000 / 3600)
    at = arrivals(stream(seed, "test"), curve)
    assert (np.diff(at) > 0).all()
    edges = np.linspace(0, 7200, 41)
    expected = np.asarray([curve.between(a, b) for a, b in pairwise(edges)])
    observed = np.histogram(at, edges)[0]
    enough = expected > 5
    statistic = ((observed - expected)[enough] ** 2 / expected[enough]).sum()
    assert stats.chi2.sf(statistic, int(enough.sum())) > 0.001


def test_gaps_are_those_of_a_poisson_process():
    """In operational time (the integral of the rate) the gaps are exponential with mean 1, and independent."""
    curve = shape(LUNCH, 660, 7200.0).scaled(6000 / 3600)
    at = arrivals(stream(4, "test"), curve)
    gaps = np.diff([curve.between(0.0, t) for t in at])
    assert stats.kstest(gaps, "expon").pvalue > 0.001
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.04


def test_a_higher_rate_has_the_same_arrivals_earlier():
    """Common random numbers: the k-th arrival of two variants is the same one."""
    curve = shape(DemandSpec(), 660, 7200.0)
    slow = arrivals(stream(5, "test"), curve.scaled(0.5))
    fast = arrivals(stream(5, "test"), curve.scaled(1.0))
    assert len(fast) > 1.8 * len(slow)
    np.testing.assert_allclose(fast[: len(slow)], slow / 2)


def test_no_rate_no_arrivals():
    assert len(arrivals(stream(1, "test"), shape(DemandSpec(), 0, 3600.0).scaled(0.0))) == 0


def test_weather_and_holiday_multiply():
    """S5: rain and holidays raise demand by the scenario's factors."""
    assert circumstances(DemandSpec()) == 1.0
    assert circumstances(DemandSpec(weather="rain")) == 1.25
    assert circumstances(DemandSpec(weather="storm", holiday=True)) == pytest.approx(1.5 * 1.3)


def test_knots_out_of_order():
    with pytest.raises(
        DemandError, match=r"demand\.curve: knot 2 \(at_min 700\) must come after knot 1 \(at_min 700\)"
    ):
        shape(spec((600, 1.0), (700, 2.0), (700, 1.0)), 600, 3600.0)


def test_a_curve_without_weight_in_the_window():
    with pytest.raises(DemandError, match=r"every weight between minute 0 and 60 is 0"):
        shape(spec((0, 0.0), (300, 0.0), (720, 1.0)), 0, 3600.0)
