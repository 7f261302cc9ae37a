"""First come, first served: begins, waiting and work, against a queue simulated the long way."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_sim.servers import Servers

JOBS = st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 9)), min_size=1, max_size=40)


def test_two_jobs_for_one_server():
    servers = Servers(1)
    assert servers.book(0.0, 3.0) == 0.0
    assert servers.book(1.0, 3.0) == 3.0
    assert servers.max_queue(1.0) == 1
    assert servers.busy_s(4.0) == 4.0
    assert servers.busy_s(100.0) == 6.0


def test_a_job_that_begins_as_another_arrives_does_not_wait_beside_it():
    servers = Servers(1)
    for arrival in (0.0, 0.0, 1.0, 2.0):
        servers.book(arrival, 1.0)
    assert servers.max_queue(10.0) == 1


def test_no_servers_is_an_error():
    with pytest.raises(ValueError, match="at least one server"):
        Servers(0)


@given(jobs=JOBS, count=st.integers(1, 4))
def test_begins_are_those_of_a_queue(jobs, count):
    servers, now, free = Servers(count), 0.0, [0.0] * count
    arrivals, begins = [], []
    for gap, service in jobs:
        now += gap
        begin = servers.book(now, service)
        expected = max(now, heapq.heappop(free))
        heapq.heappush(free, expected + service)
        assert begin == expected
        arrivals.append(now)
        begins.append(begin)
    assert begins == sorted(begins)
    longest = max(
        sum(arrival <= at < begin for arrival, begin in zip(arrivals, begins, strict=True)) for at in arrivals
    )
    assert servers.max_queue(now) == longest
    assert servers.busy_s(1e9) == pytest.approx(sum(service for _, service in jobs))
