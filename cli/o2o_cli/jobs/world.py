"""What both worlds start from: the city and the trace of a scenario, with a progress line each."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from o2o_cli import console
from o2o_cli.errors import UsageError
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.build import build_city
from o2o_sim.city.model import City
from o2o_sim.demand.build import build_trace
from o2o_sim.demand.clock import effective_clock


def build(scenario: Scenario, *, quiet: bool) -> tuple[City, Trace]:
    """The city and its trace of intents. Raises CityError, DemandError."""
    city = build_city(scenario)
    trace = build_trace(scenario, city)
    if not quiet:
        graph = city.graph
        console.err.print(
            f"city: {graph.n_nodes:,} nodes, {graph.n_edges:,} edges, {len(city.merchants):,} merchants, "
            f"{len(city.riders):,} riders; trace: {len(trace):,} intents"
        )
        for line in dropped(city.notes):
            console.err.print(f"city: {line}")
    return city, trace


def dropped(notes: dict[str, Any]) -> list[str]:
    """What was left out of the road graph, and how a real day was fitted to it, for the user to know."""
    graph, day = notes.get("graph", {}), notes.get("day", {})
    lines = []
    if count := graph.get("nodes_dropped"):
        lines.append(
            f"{count:,} of {graph['nodes_read']:,} nodes dropped: they cannot be reached from the rest, "
            "or do not reach it"
        )
    if day.get("says"):
        lines.append(str(day["says"]))
    return lines


def notes_of(city: City, trace: Trace) -> dict[str, Any]:
    """The manifest's notes on where city and demand came from."""
    notes: dict[str, Any] = {"city": city.notes, "trace": trace.notes}
    if attribution := city.graph.notes.get("attribution"):
        notes["attribution"] = attribution
    return notes


def horizon_s(scenario: Scenario) -> float:
    """The planned horizon in run seconds."""
    return (effective_clock(scenario)[1] + scenario.clock.drain_s) / scenario.clock.speed


def loopback(url: str) -> str:
    """The URL, if it is of this machine's loopback: load goes nowhere else. Raises UsageError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # a bracket left open, a port above 65535
        parts, host = None, None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"--target {url}: not a URL (write e.g. http://127.0.0.1:8000)")
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise UsageError(f"--target {url}: load is sent to this machine only (127.0.0.0/8, [::1] or localhost)")
    return url.rstrip("/")
