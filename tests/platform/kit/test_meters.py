"""Figures of a process: counted cheaply, shown in Prometheus' format, whatever a reader does."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from o2o_platform.kit import meters as module
from o2o_platform.kit.meters import Meters

pytestmark = pytest.mark.anyio


async def shown(meters: Meters) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = (await meters.exposition()).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_by_route_and_status_with_their_latencies() -> None:
    meters = Meters()
    for status, took in ((201, 0.0005), (201, 0.015), (503, 9.0)):
        meters.request("POST", "/orders", status, took)
    seen = await shown(meters)
    route = (("method", "POST"), ("route", "/orders"))
    assert seen["o2o_requests_total", (*route, ("status", "201"))] == 2
    assert seen["o2o_requests_total", (*route, ("status", "503"))] == 1
    assert seen["o2o_request_seconds_count", route] == 3
    assert seen["o2o_request_seconds_sum", route] == pytest.approx(9.0155)
    by_end = {
        end: seen["o2o_request_seconds_bucket", (("le", end), *route)] for end in ("0.001", "0.02", "5.0", "+Inf")
    }
    assert by_end == {"0.001": 1, "0.02": 2, "5.0": 2, "+Inf": 3}
    assert meters.requests == 3


async def test_readers_are_asked_when_somebody_looks_and_a_bad_one_hides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ASK_S", 0.05)
    meters, queue = Meters(), [1, 2]

    async def by_queue() -> dict[str, float]:
        return {"tickets": 7.0, "callbacks": 0.0}

    async def silent() -> float:
        await asyncio.sleep(60)
        return 1.0

    def broken() -> float:
        raise RuntimeError("no figures")

    meters.read("waiting", "Orders that wait.", lambda: len(queue))
    meters.read("done_total", "Orders done.", lambda: 3, kind="counter")
    meters.read("lag", "Entries behind.", by_queue, label="queue")
    meters.read("silent", "Never told.", silent)
    meters.read("broken", "Never told.", broken)
    queue.append(3)
    seen = await shown(meters)
    assert seen["o2o_waiting", ()] == 3
    assert seen["o2o_done_total", ()] == 3
    assert seen["o2o_lag", (("queue", "tickets"),)] == 7
    assert not {name for name, _ in seen} & {"o2o_silent", "o2o_broken"}
    assert seen["process_open_fds", ()] > 0
