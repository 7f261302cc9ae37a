"""Streams of chance: the same address, the same numbers, everywhere."""

import os
import subprocess
import sys

import numpy as np
import pytest

from o2o_sim.chance import stream


def test_a_stream_is_its_address():
    assert (stream(7, "a.b", 3).random(5) == stream(7, "a.b", 3).random(5)).all()


@pytest.mark.parametrize("other", [(8, "a.b", 3), (7, "a.c", 3), (7, "a.b", 4), (7, "a.b"), (7, "a.b", 3, 0)])
def test_another_address_is_another_stream(other):
    assert not np.array_equal(stream(7, "a.b", 3).random(5), stream(*other).random(5))


def test_known_numbers_on_any_machine():
    """Pinned: a change here changes every trace ever written with a seed."""
    assert stream(7, "demand.arrivals").integers(0, 1_000_000, 3).tolist() == PINNED


def test_another_process_draws_the_same():
    code = "from o2o_sim.chance import stream; print(stream(7, 'demand.arrivals').integers(0, 1_000_000, 3).tolist())"
    for salt in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": salt}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
        assert done.stdout.strip() == str(PINNED)


PINNED = [578279, 579036, 343481]
