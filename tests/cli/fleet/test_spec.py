"""How printers are shared among models, transports and processes (A14)."""

from __future__ import annotations

import resource
from collections import Counter

import pytest

from o2o_cli.errors import UsageError
from o2o_cli.fleet.spec import SMALL, FleetSpec, processes_for, told_mix
from o2o_cli.fleet.transports import TRANSPORTS, fronts_of, parse_transports, transport_of


def test_every_printer_is_in_one_part_with_its_port() -> None:
    spec = FleetSpec(count=10, ports=list(range(100, 110)))
    parts = [spec.part(number, 3) for number in range(3)]
    assert [number for part in parts for number in part.numbers] == list(range(10))
    assert [port for part in parts for port in part.ports] == spec.ports
    assert {part.count for part in parts} <= {3, 4}


def test_a_mixed_fleet_has_its_shares_in_every_part() -> None:
    """40, 30, 20 and 10 % of the four sourced models."""
    spec = FleetSpec(count=10_000, profile="mixed")
    wanted = {"zjiang-pos-5890": 0.4, "sprt-sp-pos58iv": 0.3, "epson-tm-t20ii": 0.2, "epson-tm-t88iii": 0.1}
    for part in (spec, spec.part(0, 4), spec.part(3, 4)):
        models = Counter(spec.profile_of(number).name for number in part.numbers)
        assert {name: count / part.count for name, count in models.items()} == wanted
    assert told_mix(10_000).startswith("4,000 zjiang-pos-5890, 3,000 sprt-sp-pos58iv")


def test_a_speed_is_everybodys_and_the_cut_keeps_pace() -> None:
    fast = FleetSpec(count=4, profile="epson-tm-t88iii", mm_s=1500.0).profile_of(0)
    assert fast.mm_s == 1500.0
    assert fast.cut_s == pytest.approx(0.03)


def test_a_profile_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"--profile tm: one of 58mm, 80mm, epson-tm-t88iii, .* or mixed, is wanted"):
        FleetSpec(count=1, profile="tm").profile_of(0)


def test_processes_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("o2o_cli.fleet.spec._cores", lambda: 4)
    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, resource.RLIM_INFINITY))
    assert processes_for(SMALL) == 1
    assert processes_for(SMALL + 1) == 4
    assert processes_for(10, 3) == 3
    with pytest.raises(UsageError, match="--processes 11: more than there are printers"):
        processes_for(10, 11)


def test_more_processes_when_each_may_open_too_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("o2o_cli.fleet.spec._cores", lambda: 1)
    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, 4352))  # 4,096 beside the process's own
    assert processes_for(10_000) == 5
    with pytest.raises(UsageError, match="10,000 printers need 5 here, as a process may open 4,352 files"):
        processes_for(10_000, 2)


def test_transports_have_their_shares_and_every_printer_keeps_its_own() -> None:
    shares = parse_transports("tcp9100=0.5,cloudprnt=0.3,epson=0.2")
    dealt = Counter(transport_of(number, shares) for number in range(1000))
    assert dealt == {"tcp9100": 500, "cloudprnt": 300, "epson": 200}
    assert [transport_of(number, shares) for number in range(1000, 1100)] == [
        transport_of(number, shares) for number in range(100)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fax", "'fax' is none"),
        ("tcp9100=0.5", "that sum to 1"),
        ("tcp9100=x", "write NAME, or NAME=SHARE"),
        ("epson=0.5,epson=0.5", "epson is named twice"),
        ("epson=1.5,tcp9100=-0.5", "shares above 0"),
    ],
)
def test_transports_that_are_none(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_transports(text)


@pytest.mark.parametrize("name", [name for name in TRANSPORTS if name != "tcp9100"])
def test_who_fetches_jobs_must_know_where(name: str) -> None:
    with pytest.raises(UsageError, match="--server URL"):
        fronts_of(FleetSpec(count=1, transport=name))
