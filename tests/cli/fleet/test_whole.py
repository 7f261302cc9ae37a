"""A fleet in several processes: started, shared, told of, ended; killed, it ends (A14)."""

from __future__ import annotations

import mmap
import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from o2o_cli.fleet.figures import Memory
from o2o_devices.paper import read_paper

TICKET = "宫保鸡丁 x2\n".encode("gb18030") + b"\x1dVA\x00\x1d(H\x06\x0000T001"


def print_at(place: tuple[str, int]) -> None:
    with socket.create_connection((place[0], place[1]), timeout=20.0) as printer:
        printer.sendall(TICKET)
        assert printer.recv(7, socket.MSG_WAITALL) == b"\x37\x22T001\x00"


def listens(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection((place[0], place[1]), timeout=5.0).close()
    except OSError:
        return False
    return True


def test_printers_of_all_processes_print_into_one_journal(start: Any) -> None:
    fleet = start("--count", "6", "--processes", "3", "--mm-s", "50000")
    assert fleet.said["processes"] == 3
    assert len(fleet.children()) == 3
    places = fleet.places()
    assert sorted(places) == list(range(6))
    for number in range(6):
        print_at(places[number])
    code, told = fleet.end()
    assert code == 0
    papers = list(read_paper(fleet.folder / "paper.jsonl"))
    assert sorted(paper.printer_id for paper in papers) == list(range(6))
    assert {paper.text for paper in papers} == {"宫保鸡丁 x2"}
    assert re.search(r"fleet: 6 printers, .* 6 tickets \(0 torn\), .*CPU .*memory USS [\d.]+ MB, PSS .*faults", told)
    assert not any(listens(place) for place in places.values())


def test_the_same_printers_are_at_the_same_ports_in_fewer_processes(start: Any) -> None:
    first = start("--count", "4", "--processes", "2")
    places = first.places()
    first.end()
    second = start("--count", "4")
    assert second.said["processes"] == 1
    assert second.children() == []
    assert second.places() == places


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_end_with_the_parent(start: Any, number: signal.Signals) -> None:
    fleet = start("--count", "4", "--processes", "2")
    children = fleet.children()
    code, told = fleet.end(number)
    assert code == 0
    assert "Traceback" not in told
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def test_it_ends_also_before_it_is_ready(start: Any) -> None:
    fleet = start("--count", "2000", "--processes", "2", ready=False)
    children: list[int] = []
    while len(children) < 2 and fleet.process.poll() is None:
        children = fleet.children()
    code, told = fleet.end()
    assert (code, told) == (0, "")
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def test_none_outlives_a_parent_that_is_killed(start: Any) -> None:
    fleet = start("--count", "4", "--processes", "2")
    descriptors = [os.pidfd_open(pid) for pid in fleet.children()]
    fleet.process.kill()
    fleet.process.wait()
    for descriptor in descriptors:
        with open(descriptor, closefd=True) as file:
            poll = __import__("select").poll()
            poll.register(file, 1)
            assert poll.poll(20_000)  # readable: it has ended


def test_a_process_that_dies_is_told_of_and_not_started_again(start: Any) -> None:
    fleet = start("--count", "4", "--processes", "2")
    victim = fleet.children()[1]
    os.kill(victim, signal.SIGKILL)
    code, told = fleet.ended()
    assert code == 2
    assert re.search(r"o2o: the process of printers \d to \d has ended \(signal 9\), and with it the fleet", told)
    assert not any(listens(place) for place in fleet.places().values())


def test_figures_on_a_signal_and_in_time(start: Any) -> None:
    fleet = start("--count", "4", "--processes", "2", "--figures", "0.5", "--mm-s", "50000", "--control", "127.0.0.1:0")
    print_at(fleet.places()[3])
    for _ in range(2):
        fleet.process.send_signal(signal.SIGUSR1)
        httpx.get(f"{fleet.room}/figures", trust_env=False).raise_for_status()
    _, told = fleet.end()
    lines = [line for line in told.splitlines() if line.startswith("fleet: 4 printers")]
    assert len(lines) >= 3
    assert "1 tickets" in lines[-1]
    assert len(re.findall(r"^process \d+: 2 printers", told, re.MULTILINE)) >= 6


def test_planned_faults_are_counted_by_kind(start: Any) -> None:
    fleet = start("--count", "2", "--processes", "2", "--faults", "no_print=1", "--mm-s", "50000")
    for place in fleet.places().values():
        print_at(place)
    _, told = fleet.end()
    assert "faults met: no_print 2" in told


def test_memory_is_what_the_kernel_says() -> None:
    with mmap.mmap(-1, 1 << 24) as ballast:  # pages of its own: what an allocator gives back, and when, is its affair
        ballast.write(os.urandom(1 << 24))
        full = Memory.of()
    empty = Memory.of()
    assert 0 < empty.uss <= empty.pss <= empty.rss
    assert full.uss - empty.uss > 1 << 23
