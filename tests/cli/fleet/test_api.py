"""The control room of a running fleet, over real sockets and two processes (A14)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from o2o_cli.commands.printers import app
from o2o_devices.desk import ORDERS
from o2o_devices.faults import KINDS

TICKET = "宫保鸡丁 x2\n米饭\n".encode("gb18030") + b"\x1dVA\x00"
ASK = b"\x1d(H\x06\x0000T001"
STATUS = b"\x10\x04\x01"


@pytest.fixture
def fleet(start: Any) -> Any:
    return start("--count", "4", "--processes", "2", "--mm-s", "50000", "--control", "127.0.0.1:0")


@pytest.fixture
def room(fleet: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet.room, timeout=20.0, trust_env=False) as client:
        yield client


def send(fleet: Any, number: int, data: bytes) -> socket.socket:
    host, port = fleet.places()[number]
    printer = socket.create_connection((host, port), timeout=20.0)
    printer.sendall(data)
    return printer


def print_one(fleet: Any, number: int) -> None:
    with send(fleet, number, TICKET + ASK) as printer:
        assert printer.recv(7, socket.MSG_WAITALL) == b"\x37\x22T001\x00"


def order(room: httpx.Client, number: int, **wanted: Any) -> httpx.Response:
    return room.post(f"/printers/{number}/orders", json=wanted)


def test_printers_of_every_process_are_listed(room: httpx.Client) -> None:
    assert room.get("/").json() == {
        "printers": 4, "processes": 2, "profile": "80mm", "transport": "tcp9100", "receipts_kept": 3,
    }  # fmt: skip
    assert [row["printer"] for row in room.get("/printers").json()] == [0, 1, 2, 3]
    assert [row["printer"] for row in room.get("/printers?first=1&count=2").json()] == [1, 2]
    assert room.get("/printers/3").json()["ready"] is True


def test_counters_and_figures(fleet: Any, room: httpx.Client) -> None:
    print_one(fleet, 2)
    assert room.get("/printers/2").json()["counters"]["receipts"] == 1
    figures = room.get("/figures").json()
    assert figures["all"]["tickets"] == 1
    assert [part["printers"] for part in figures["processes"]] == [2, 2]
    assert 0 < figures["all"]["uss"] <= figures["all"]["pss"]


def test_the_last_receipts_as_text_and_picture(fleet: Any, room: httpx.Client) -> None:
    for _ in range(4):
        print_one(fleet, 3)
    kept = room.get("/printers/3/receipts").json()
    assert [one["lines"] for one in kept] == [["宫保鸡丁 x2", "米饭"]] * 3
    assert "宫保鸡丁 x2" in room.get("/printers/3/receipts/0.txt").text
    picture = room.get("/printers/3/receipts/2.png")
    assert picture.headers["content-type"] == "image/png"
    assert struct.unpack(">I", picture.content[16:20])[0] == 576 + 48
    gone = room.get("/printers/3/receipts/3.txt")
    assert (gone.status_code, gone.json()["error"]) == (404, "printer 3: 3 receipts are kept, there is no number 3")


def test_show_looks_at_a_running_printer(fleet: Any, tmp_path: Any) -> None:
    print_one(fleet, 0)
    shown = CliRunner().invoke(app, ["show", fleet.room, "--printer", "0", "--png", str(tmp_path / "one.png")])
    assert shown.exit_code == 0, shown.output
    assert "宫保鸡丁 x2" in shown.output
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_paper_cover_power_and_link_now(fleet: Any, room: httpx.Client) -> None:
    for what, undo, trouble in (
        ("paper_end", "refill", "paper_end"),
        ("open_cover", "close_cover", "cover_open"),
        ("pause", "go_on", "paused"),
        ("silent", "speak", "silent"),
        ("link_down", "link_up", "link_down"),
        ("power_off", "power_on", "power_off"),
    ):
        broken = order(room, 1, what=what)
        assert (broken.status_code, broken.json()["troubles"]) == (200, [trouble]), what
        assert order(room, 1, what=undo).json()["ready"] is True
    print_one(fleet, 1)
    assert room.get("/printers/0").json()["faults"] == 0


def test_a_printer_without_paper_says_so_on_its_socket(fleet: Any, room: httpx.Client) -> None:
    order(room, 1, what="paper_end")
    with send(fleet, 1, STATUS) as printer:
        assert printer.recv(1) == b"\x1a"


def test_every_fault_can_be_ordered_for_the_next_ticket(start: Any) -> None:
    fleet = start("--count", str(len(KINDS)), "--processes", "2", "--mm-s", "50000", "--control", "127.0.0.1:0")
    with httpx.Client(base_url=fleet.room, timeout=20.0, trust_env=False) as room:
        for number, kind in enumerate(KINDS):
            assert order(room, number, what=kind, when="next", after_mm=2, repair_s=0.05).status_code == 200
            send(fleet, number, TICKET).close()
        met = [{}] * len(KINDS)
        for _ in range(400):
            met = [room.get(f"/printers/{number}").json()["counters"]["met"] for number in range(len(KINDS))]
            if all(met):
                break
        assert met == [{kind: 1} for kind in KINDS]
        assert room.get("/figures").json()["all"]["faults"] == dict.fromkeys(KINDS, 1)


def test_faults_now_and_mended(fleet: Any, room: httpx.Client) -> None:
    told = order(room, 2, what="half_open", repair_s=3600)
    assert told.json()["troubles"] == ["silent"]
    told = order(room, 3, what="power_off", repair_s=0)
    assert told.json()["counters"]["met"] == {"power_off": 1}
    print_one(fleet, 3)  # somebody has switched it on again


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"what": "fire"}, "no such order or fault: 'fire'"),
    ({"when": "now"}, "an order is"),
    ({"what": 7}, "an order is"),
    ({"what": "refill", "when": "soon"}, "when: "),
    ({"what": "refill", "when": "next"}, "refill is carried out now"),
    ({"what": "refill", "mm": -1}, "refill: mm must be a number from 0"),
    ({"what": "refill", "mm": "all"}, "refill: mm must be a number"),
    ({"what": "refill", "mm": True}, "refill: mm must be a number"),
    ({"what": "refill", "count": 1}, "refill does not take count"),
    ({"what": "slow_link"}, "slow_link needs bytes_s"),
    ({"what": "duplicate"}, "duplicate is a ticket's: order it for the next one"),
    ({"what": "paper_end", "when": "next", "repair_s": 1e9}, "paper_end: repair_s must be a number from 0 to 86400"),
]


def test_orders_that_make_no_sense_are_told_why_and_change_nothing(room: httpx.Client) -> None:
    for wanted, message in NONSENSE:
        refused = order(room, 1, **wanted)
        assert (refused.status_code, refused.json()["error"][: len(message)]) == (400, message)
    assert room.get("/printers/1").json()["ready"] is True


def test_what_is_not_there_or_not_asked_properly(room: httpx.Client) -> None:
    assert room.get("/printers/4").json() == {"error": "no printer 4 in this fleet of 4"}
    assert order(room, 99, what="refill").status_code == 404
    assert room.get("/printers?count=5000").status_code == 400
    assert room.get("/printers?first=x").json() == {"error": "first: a whole number from 0 on is wanted, not 'x'"}
    plain = room.post("/printers/0/orders", content=b'{"what": "power_off"}', headers={"content-type": "text/plain"})
    assert (plain.status_code, room.get("/printers/0").json()["ready"]) == (400, True)
    json = {"content-type": "application/json"}
    assert room.post("/printers/0/orders", content=b"{", headers=json).json() == {"error": "the body is not JSON"}
    assert room.post("/printers/0/orders", content=b" " * 5000, headers=json).status_code == 400
    assert room.get("/", headers={"host": "printers.example"}).status_code == 400
    assert set(room.get("/orders").json()["orders"]) == set(ORDERS)
    assert set(room.get("/orders").json()["faults"]) == set(KINDS)
