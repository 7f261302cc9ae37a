"""Printers that break and say so (A14): what is excused by their word, paper by paper, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from o2o_results.audit import ALL, audit
from o2o_results.printer_faults import tally
from o2o_results.report.page import report_html
from o2o_results.run import as_table

Tables = dict[str, pa.Table]
Row = dict[str, Any]
HORIZON_S = 14_400.0
FAULTS = {"no_print": 0.1, "duplicate": 0.1, "lost_ack": 0.1, "at_least": 1}


def fault(kind: str, receipt: Row, **changes: Any) -> Row:
    """What the printer of a receipt confesses about it."""
    told = {name: receipt[name] for name in ("printer_id", "order_no", "copy_no")}
    at = receipt["printed"]
    return {**told, "at": at, "kind": kind, "until": at, "answered": None, **changes}


class Broken:
    """A clean run whose printers met faults: rows to edit before they are tables."""

    def __init__(self, lunch: Tables) -> None:
        self.tables = lunch
        self.receipts = lunch["receipts"].to_pylist()
        self.tickets = lunch["tickets"].to_pylist()
        self.orders = lunch["orders"].to_pylist()
        self.faults: list[Row] = []
        whole = [row for row in self.receipts if row["complete"]]
        self.blank, self.twice, self.lost, self.late = whole[3], whole[5], whole[7], whole[9]
        self.faults += [
            fault("no_print", self.blank, answered=self.blank["printed"]),
            fault("duplicate", self.twice, answered=self.twice["printed"]),
            fault("lost_ack", self.lost),
            fault("backlog", self.late, answered=self.late["printed"] + 60.0),
        ]
        self.receipts.remove(self.blank)
        unreadable = {"order_no": None, "copy_no": None, "complete": False, "lines": [], "total_fen": None, "text": ""}
        self.receipts.append({**self.blank, **unreadable})
        self.receipts.append({**self.twice, "receipt_id": 90_000})
        self.ticket(self.lost).update(state="unconfirmed", code="silent", printed=None, escalation="app")
        self.order(self.lost)["printed"] = None
        self.ticket(self.late).update(escalation="app")

    def order(self, receipt: Row) -> Row:
        return next(row for row in self.orders if row["order_no"] == receipt["order_no"])

    def ticket(self, receipt: Row) -> Row:
        number = self.order(receipt)["order_id"]
        return next(row for row in self.tickets if row["order_id"] == number)

    def made(self) -> Tables:
        edited = {
            "receipts": self.receipts,
            "tickets": self.tickets,
            "orders": self.orders,
            "printer_faults": self.faults,
        }
        return self.tables | {name: as_table(name, rows) for name, rows in edited.items()}

    def verdicts(self, fake: Any) -> dict[str, Any]:
        promises = [one for one in ALL if one.name.startswith(("receipts.", "tickets.", "printers."))]
        plan = fake.scenario(printing={"faults": FAULTS})
        return {v.name: v for v in audit(self.made(), plan, horizon_s=HORIZON_S, promises=promises)}


@pytest.fixture
def broken(lunch: Tables) -> Broken:
    return Broken(lunch)


def test_what_printers_confess_is_excused_and_counted(broken: Broken, fake: Any) -> None:
    found = broken.verdicts(fake)
    assert [name for name, verdict in found.items() if not verdict.ok] == []
    assert found["receipts.one_per_ticket"].detail == (
        "1 duplicate by the printers' own word, 1 no_print by the printers' own word"
    )
    assert "1 duplicate by the printers' own word" in found["receipts.no_unmarked_copy"].detail
    assert (
        found["printers.late_answers"].detail == "1 tickets unconfirmed, 1 told late or doubtful and printed in the end"
    )
    assert found["printers.faults_met"].detail == "lost_ack 1, no_print 1, duplicate 1"
    assert (found["printers.told_the_truth"].checked, found["printers.late_answers"].checked) == (4, 3)


def without(kind: str) -> Callable[[Broken], None]:
    def plant(broken: Broken) -> None:
        broken.faults[:] = [row for row in broken.faults if row["kind"] != kind]

    return plant


def a_third_paper(broken: Broken) -> None:
    broken.receipts.append({**broken.twice, "receipt_id": 90_001})


def another_blank_one(broken: Broken) -> None:
    broken.receipts.remove(next(row for row in broken.receipts if row["complete"] and row is not broken.late))


def lost_and_lost(broken: Broken) -> None:
    """A lost answer is no excuse for a ticket that is called printed and is nowhere."""
    broken.faults.append(fault("lost_ack", broken.late))
    broken.receipts.remove(broken.late)


def someone_elses(broken: Broken) -> None:
    broken.faults[0]["printer_id"] += 1


def of_no_ticket(broken: Broken) -> None:
    broken.faults[0]["copy_no"] = 7


def a_false_confession(broken: Broken) -> None:
    """Said to be spoiled, and perfectly readable: who confesses too much excuses too much."""
    broken.faults.append(fault("no_print", broken.late))


def answered_and_forgotten(broken: Broken) -> None:
    broken.faults[2]["answered"] = broken.lost["printed"] + 90.0


def answered_after_another_printers_trouble(broken: Broken) -> None:
    answered_and_forgotten(broken)
    at = broken.lost["printed"]
    broken.faults.append(fault("slow", broken.lost, at=at - 50.0, until=at - 40.0))  # over before it was sent
    other = {"printer_id": broken.lost["printer_id"] + 1, "order_no": None, "copy_no": None}
    broken.faults.append(fault("slow", broken.lost, **other, until=at + 100.0))


def rarely(broken: Broken) -> None:
    broken.faults[2]["kind"] = "backlog"


PLANTED: list[tuple[str, Callable[[Broken], None]]] = [
    ("receipts.one_per_ticket", without("no_print")),
    ("receipts.one_per_ticket", without("duplicate")),
    ("receipts.one_per_ticket", another_blank_one),
    ("receipts.one_per_ticket", lost_and_lost),
    ("receipts.one_per_ticket", a_third_paper),
    ("receipts.no_unmarked_copy", without("duplicate")),
    ("receipts.no_unmarked_copy", a_third_paper),
    ("printers.told_the_truth", someone_elses),
    ("printers.told_the_truth", of_no_ticket),
    ("printers.told_the_truth", a_false_confession),
    ("printers.late_answers", answered_and_forgotten),
    ("printers.late_answers", answered_after_another_printers_trouble),
    ("printers.faults_met", rarely),
]


@pytest.mark.parametrize(("promise", "plant"), PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_violation_is_found(broken: Broken, fake: Any, promise: str, plant: Callable[[Broken], None]) -> None:
    plant(broken)
    verdict = broken.verdicts(fake)[promise]
    assert not verdict.ok
    assert verdict.violations == 1
    assert verdict.examples


def test_every_promise_about_printers_is_planted() -> None:
    ours = {promise.name for promise in ALL if promise.name.startswith("printers.")}
    assert ours <= {promise for promise, _ in PLANTED}


def test_an_answer_on_its_way_at_the_end_is_none_forgotten(broken: Broken, fake: Any) -> None:
    broken.faults[2]["answered"] = HORIZON_S - 1.0
    assert broken.verdicts(fake)["printers.late_answers"].ok


@pytest.mark.parametrize("until", [1.0, None])
def test_an_answer_on_a_link_in_trouble_may_be_lost(broken: Broken, fake: Any, until: float | None) -> None:
    answered_and_forgotten(broken)
    ended = None if until is None else broken.lost["printed"] + until
    broken.faults.append(fault("half_open", broken.lost, order_no=None, copy_no=None, until=ended))
    assert broken.verdicts(fake)["printers.late_answers"].ok


def test_a_run_whose_printers_confess_nothing_is_excused_nothing(lunch: Tables, fake: Any) -> None:
    rows = lunch["receipts"].to_pylist()
    again = next(row for row in rows if row["complete"]) | {"receipt_id": 90_000}
    tables = lunch | {"receipts": as_table("receipts", [*rows, again])}
    found = {v.name: v for v in audit(tables, fake.scenario(), horizon_s=HORIZON_S)}
    assert not found["receipts.no_unmarked_copy"].ok
    assert not found["receipts.one_per_ticket"].ok


def test_what_became_of_the_tickets_is_counted_by_kind(broken: Broken) -> None:
    broken.faults.append(fault("offline", broken.late, order_no=None, copy_no=None))
    found = {one.kind: one.to_json() for one in tally(broken.made())}
    none = dict.fromkeys(("met", "in_print", "printed", "late", "unconfirmed", "failed"), 0)
    assert found == {
        "no_print": none | {"met": 1, "in_print": 1, "printed": 1},
        "duplicate": none | {"met": 1, "in_print": 1, "printed": 1},
        "lost_ack": none | {"met": 1, "in_print": 1, "unconfirmed": 1},
        "backlog": none | {"met": 1, "in_print": 1, "printed": 1, "late": 1},
        "offline": none | {"met": 1},
    }


def test_the_report_shows_the_faults(broken: Broken, fake: Any, tmp_path: Path) -> None:
    page = report_html([fake.write_run(tmp_path / "broken", broken.made())])
    assert "Printers that broke" in page
    assert "lost ack" in page
    clean = report_html([fake.write_run(tmp_path / "clean", broken.tables)])
    assert "Printers that broke" not in clean


def test_names_that_printers_have_no_shape_for_are_compared_as_printed(lunch: Tables, fake: Any) -> None:
    orders, receipts = lunch["orders"].to_pylist(), lunch["receipts"].to_pylist()
    paper = next(row for row in receipts if row["complete"])
    order = next(row for row in orders if row["order_no"] == paper["order_no"])
    dish = order["items"][0]
    (line,) = [one for one in paper["lines"] if one["name"] == dish["name"]]
    dish["name"], line["name"] = "麻辣🔥牛肉\u00a5", "麻辣〓牛肉￥"
    tables = lunch | {"orders": as_table("orders", orders), "receipts": as_table("receipts", receipts)}
    ours = [one for one in ALL if one.name == "receipts.dishes"]
    assert audit(tables, fake.scenario(), horizon_s=HORIZON_S, promises=ours)[0].ok
    line["name"] = "麻辣牛肉￥"
    tables["receipts"] = as_table("receipts", receipts)
    assert not audit(tables, fake.scenario(), horizon_s=HORIZON_S, promises=ours)[0].ok
