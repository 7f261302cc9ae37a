"""The printers' benchmark: what is made up, what is compared, what fails, and a small run of it all (A14)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from o2o_cli.bench import tokenisers
from o2o_cli.bench.printers import run_printers
from o2o_cli.bench.spooler import SpoolerSpec
from o2o_cli.bench.tickets import columns_of, judge, order, ticket
from o2o_cli.fleet.spec import FleetSpec
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.models import MODELS
from o2o_devices.paper import Paper

SEED = 3


def paper(number: int, printer: int, *, edit: tuple[str, str] = ("", "")) -> Paper:
    data = ticket(number, SEED, 32)
    (cut,) = [event for event in Interpreter(MODELS["zjiang-pos-5890"]).feed(data)[1] if isinstance(event, Cut)]
    receipt = cut.receipt
    lines = [line.replace(*edit) if edit[0] else line for line in receipt.text_lines]
    return Paper(printer, 0.0, receipt.complete, lines, list(receipt.qr), receipt.length_mm, receipt.cut)


def test_tickets_are_about_a_kilobyte_and_each_is_another() -> None:
    made = [ticket(number, SEED, 48) for number in range(100)]
    assert 800 < sum(map(len, made)) / 100 < 1200
    assert len(set(made)) == 100
    assert ticket(5, SEED, 48) == made[5]
    assert ticket(5, SEED + 1, 48) != made[5]


def test_widths_by_model() -> None:
    """42 columns of a TM-T88III are not 48: it gets the narrow ticket."""
    assert {name: columns_of(profile) for name, profile in MODELS.items()} == {
        "epson-tm-t88iii": 32, "epson-tm-t20ii": 48, "sprt-sp-pos58iv": 32, "zjiang-pos-5890": 32,
    }  # fmt: skip


def test_all_is_right() -> None:
    verdict = judge([paper(0, 8), paper(1, 9)], [8, 9], SEED)
    assert (verdict.sound, verdict.right) == (True, 2)


def test_what_is_missing_doubled_or_wrong_is_found() -> None:
    dish = order(2, SEED).lines[0].name.partition("(")[0]
    papers = [
        paper(0, 8),
        paper(1, 9),
        paper(1, 9),
        paper(2, 7, edit=(dish[:2], "烤鸭")),
        paper(4, 6),
        Paper(5, 0.0, True, ["?"], [], 1.0, "full"),
    ]
    verdict = judge(papers, [8, 9, 7, 7, 5], SEED)
    assert not verdict.sound
    assert (verdict.missing, verdict.doubled, verdict.wrong) == (1, 1, 3)
    told = "\n".join(verdict.examples)
    assert "order 3 is on no paper" in told
    assert "order 1 is on 2 papers" in told
    assert "printer 7: order 2: the dishes differ" in told
    assert "printer 6: order 4: it is on another printer" in told
    assert "printer 5: no order of ours is read off it" in told


def test_a_wrong_total_is_found() -> None:
    total = f"{order(0, SEED).total_fen / 100:.2f}"
    verdict = judge([paper(0, 1, edit=(total, "9" + total))], [1], SEED)
    assert (verdict.right, verdict.wrong) == (0, 1)


def test_every_printer_has_its_turn_before_anybody_has_a_second() -> None:
    spec = SpoolerSpec(ports_file="", fleet=FleetSpec(count=50), rate=10.0, seconds=12.0, seed=1)
    turns = spec.turns()
    assert len(turns) == 120
    assert sorted(turns[:50]) == sorted(turns[50:100]) == list(range(50))
    assert turns[:50] != list(range(50))


def test_all_ways_of_reading_agree_on_the_text() -> None:
    rates = tokenisers.rates([ticket(number, SEED, 48) for number in range(20)], 1)
    assert set(rates) == set(tokenisers.WAYS)
    assert all(len(values) == 1 and values[0] > 0 for values in rates.values())


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    assert run_printers(smoke=True, processes=2, json_path=out, quiet=True) == 0
    figures = json.loads(out.read_text())["figures"]
    assert figures["verdict"]["right"] == figures["verdict"]["sent"] == 80
    assert figures["sent"]["answered"] == 80
    assert figures["memory"]["connections idle"]["all"]["connections"] == 50
    assert figures["memory"]["idle again"]["all"]["tickets"] == 80
    assert len(figures["memory"]["ports open"]["processes"]) == 2
    verdicts = {row["name"]: row["verdict"] for row in figures["rows"]}
    assert verdicts["missing"] == verdicts["doubled"] == verdicts["wrong"] == "PASS"
    assert verdicts["idle_bytes"] == "NOT MEASURED"  # of so few printers it says nothing
    told = capsys.readouterr().out
    assert "80 of 80 tickets" in told
    assert "regular expression" in told
