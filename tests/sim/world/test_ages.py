"""The four ages of notification in the model, from first principles on small cases (A14)."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_domain import rules
from o2o_domain.decisions import Decision
from o2o_results.audit import audit, clean
from o2o_results.notification import notification
from o2o_scenarios.schema import Scenario
from o2o_sim.chance import stream
from o2o_sim.model_run import ModelRun
from o2o_sim.notification.draws import PeopleDraws
from o2o_sim.world import simulate

RIGHT = {"wrong_dish": 0, "wrong_quantity": 0, "missed_line": 0, "missed_order": 0}
EVEN = {"pace_sigma": 0.0, "carry_s": 10.0}
"""People without luck."""
PHONE: dict[str, Any] = {
    "busy_share": 0.0,
    "ring_mean_s": 0.0,
    "greeting_s": 8,
    "dictate_s_per_line": 6,
    "customer_s": 25,
    "copying": RIGHT,
}
APP = {"look_mean_s": 0.0, "open_s": 3, "copy_s_per_line": 5, "customer_s": 20, "copying": RIGHT}
INSTANT = {"mean_ms": 0.0}
QUICK = dict.fromkeys(("accept", "commit", "publish", "claim", "render", "send", "event"), INSTANT)


@pytest.fixture
def told(play: Any) -> Any:
    """A function: play intents in an age, with people without luck on a platform that takes no time."""

    def run(age: str, *rows: dict[str, Any], staff: Any = None, platform: Any = None, **printing: Any) -> ModelRun:
        over = {"age": age, "phone": PHONE, "app": APP, "staff": EVEN | (staff or {})}
        done: ModelRun = play(*rows, printing=over | printing, platform=QUICK | (platform or {}))
        return done

    return run


def rows(run: ModelRun, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.tables[table].to_pylist()
    return found


def known_s(run: ModelRun) -> list[float]:
    """Paid to kitchen, of each order."""
    return [row["printed"] - row["paid"] for row in rows(run, "orders")]


def test_by_phone_an_order_takes_its_dictation_and_the_way_to_the_kitchen(told: Any) -> None:
    run = told("phone", {})
    (note,) = rows(run, "notifications")
    assert known_s(run) == pytest.approx([8 + 6 + 25 + 10])
    assert (note["attempts"], note["staff_s"], note["caller_s"]) == (1, 49.0, 39.0)
    (item,) = rows(run, "orders")[0]["items"]
    assert note["slip"] == [{"name": item["name"], "qty": item["qty"]}]
    assert rows(run, "receipts") == []


def test_the_line_is_engaged_while_another_order_is_dictated(told: Any) -> None:
    run = told("phone", {}, {"intended_s": 5.0}, phone=PHONE | {"engaged_s": 5.0, "redial_s": 60.0})
    first, second = rows(run, "notifications")
    assert (first["attempts"], second["attempts"]) == (1, 2)
    assert known_s(run) == pytest.approx([49, 5 + 60 + 49])  # engaged at 5 s, again a minute after the tone
    assert second["caller_s"] == pytest.approx(5 + 39)


def test_nobody_answers_while_the_only_waiter_is_on_the_way_to_the_kitchen(told: Any) -> None:
    patient = told("phone", {}, {"intended_s": 40.0}, staff={"carry_s": 10}, phone=PHONE | {"ring_limit_s": 30.0})
    hasty = told("phone", {}, {"intended_s": 40.0}, staff={"carry_s": 10}, phone=PHONE | {"ring_limit_s": 5.0})
    assert known_s(patient)[1] == pytest.approx(9 + 49)  # it rings until he is back at 49 s
    assert known_s(hasty)[1] == pytest.approx(5 + 60 + 49)
    two = told("phone", {}, {"intended_s": 40.0}, staff={"on_shift": 2}, phone=PHONE | {"ring_limit_s": 5.0})
    assert known_s(two)[1] == pytest.approx(49)


def test_orders_wait_for_a_free_caller(told: Any) -> None:
    run = told("phone", {}, {"merchant_id": 1}, {"merchant_id": 2}, phone=PHONE | {"callers": 1})
    assert sorted(known_s(run)) == pytest.approx([49, 39 + 49, 2 * 39 + 49])


def test_a_shop_that_is_never_free_has_an_owner_with_a_telephone(told: Any, row: Any) -> None:
    run = told("phone", {}, phone=PHONE | {"busy_share": 1.0, "engaged_s": 5.0, "max_calls": 2, "redial_s": 60.0})
    ticket, note = row(run, "tickets"), row(run, "notifications")
    assert known_s(run) == pytest.approx([5 + 60 + 5 + 49])
    assert (ticket["state"], ticket["escalation"], note["attempts"]) == ("printed", "phone", 3)
    late = told("phone", {}, phone=PHONE | {"busy_share": 1.0, "engaged_s": 5.0, "max_calls": 99, "redial_s": 100.0})
    assert known_s(late) == pytest.approx([5 + 100 + 5 + 49])  # the next call would come after the deadline of 180 s


def test_in_the_app_an_order_waits_for_a_look_and_a_free_hand(told: Any) -> None:
    run = told("app", {}, {"intended_s": 5.0})
    first, second = rows(run, "notifications")
    assert known_s(run) == pytest.approx([28 + 10, 38 - 5 + 38])
    assert first["staff_s"] == second["staff_s"] == 38.0
    assert first["caller_s"] == 0.0


def test_whoever_looks_sees_all_that_wait(told: Any, town: Any) -> None:
    scenario, _ = town({})
    look = PeopleDraws(scenario.printing.staff, scenario.seed, 2).look
    run = told("app", {}, {}, app=APP | {"look_mean_s": 60.0})
    seen_s = min(look) * 60.0
    assert sorted(known_s(run)) == pytest.approx([seen_s + 38, seen_s + 76])


def test_an_order_that_nobody_sees_rings_again_at_its_deadline(told: Any, row: Any) -> None:
    run = told("app", {}, app=APP | {"look_mean_s": 1e7})
    assert known_s(run) == pytest.approx([180 + 38], abs=0.5)
    assert row(run, "tickets")["escalation"] == "app"


def test_with_a_printer_staff_open_the_app_tap_and_tear(told: Any, row: Any) -> None:
    run = told("app_printer", {}, attached={"tap_s": 2.5, "tear_s": 3.0})
    note, receipt = row(run, "notifications"), row(run, "receipts")
    (paper_s,) = known_s(told("cloud", {}))
    assert known_s(run) == pytest.approx([3 + 2.5 + paper_s])
    assert (note["attempts"], note["staff_s"], note["slip"]) == (1, 8.5, None)
    assert receipt["complete"]


def test_whoever_looks_first_prints_for_all(told: Any, town: Any) -> None:
    scenario, _ = town({})
    look = PeopleDraws(scenario.printing.staff, scenario.seed, 3).look
    run = told("app_printer", {}, {}, {"intended_s": 10.0}, app=APP | {"look_mean_s": 60.0})
    looked_s = min(look[0] * 60.0, look[1] * 60.0, 10.0 + look[2] * 60.0)
    first = min(note["noticed"] - note["told"] for note in rows(run, "notifications")[:2])
    assert first == pytest.approx(looked_s + 3.0, abs=0.5)


def test_one_look_prints_all_that_wait_one_after_the_other(told: Any) -> None:
    run = told("app_printer", {}, {}, attached={"tap_s": 2.5, "tear_s": 3.0})
    notes = rows(run, "notifications")
    assert [note["staff_s"] for note in notes] == [8.5, 5.5]  # the app is opened once
    assert [note["noticed"] is not None for note in notes] == [True, True]


def test_a_ticket_that_nobody_taps_fails_at_its_deadline_and_is_told_by_the_app(told: Any, row: Any) -> None:
    run = told("app_printer", {}, app=APP | {"look_mean_s": 1e7})
    ticket, order = row(run, "tickets"), row(run, "orders")
    assert (ticket["state"], ticket["code"], ticket["escalation"]) == ("failed", "deadline", "app")
    assert order["state"] == "delivered"
    assert row(run, "notifications")["known"] is None


def test_an_attached_printer_without_paper_is_mended_by_the_same_hands(told: Any, row: Any) -> None:
    faults = {"paper_end": 1.0, "repair_mean_s": 30.0}
    run = told("app_printer", {}, faults=faults, attached={"tap_s": 2.5, "tear_s": 3.0, "mend_poll_s": 10.0})
    note, ticket = row(run, "notifications"), row(run, "tickets")
    assert (ticket["state"], ticket["attempts"]) == ("printed", 1)
    polls = round((note["staff_s"] - 8.5) / 10.0)
    assert polls >= 1
    assert note["staff_s"] == pytest.approx(8.5 + 10.0 * polls)


def test_a_torn_ticket_of_an_attached_printer_fails_and_is_told(told: Any, row: Any) -> None:
    run = told("app_printer", {}, faults={"paper_end": 1.0, "torn_share": 1.0, "repair_mean_s": 30.0})
    ticket, met = row(run, "tickets"), row(run, "printer_faults")
    assert (ticket["state"], ticket["code"], ticket["escalation"]) == ("failed", "paper_end", "app")
    assert (met["kind"], met["answered"]) == ("paper_end", None)
    assert [receipt["complete"] for receipt in rows(run, "receipts")] == [False]


def test_a_lost_answer_of_an_attached_printer_is_never_printed_twice(told: Any, row: Any) -> None:
    run = told("app_printer", {}, faults={"lost_ack": 1.0})
    ticket, order = row(run, "tickets"), row(run, "orders")
    assert (ticket["state"], ticket["code"], ticket["escalation"]) == ("unconfirmed", "no_result", "app")
    assert len(rows(run, "receipts")) == 1
    assert order["cooking"] - order["paid"] < 20  # from the paper
    assert [met["kind"] for met in rows(run, "printer_faults")] == ["lost_ack"]


@pytest.mark.parametrize("age", ["phone", "app"])
def test_a_lost_slip_comes_to_light_when_somebody_asks(told: Any, row: Any, age: str) -> None:
    lost = RIGHT | {"missed_order": 1}
    run = told(age, {}, staff={"missed_found_s": 600.0}, phone=PHONE | {"copying": lost}, app=APP | {"copying": lost})
    order, ticket, note = row(run, "orders"), row(run, "tickets"), row(run, "notifications")
    assert (ticket["state"], ticket["code"], ticket["escalation"]) == ("unconfirmed", "lost_slip", "phone")
    assert order["cooking"] - order["paid"] == pytest.approx((49 if age == "phone" else 38) + 600)
    assert note["slip"] is None
    assert order["state"] == "delivered"


def test_the_city_is_compressed_and_the_deadline_is_not(told: Any, play: Any) -> None:
    over = {"age": "app", "app": APP, "staff": EVEN}
    run = play({}, printing=over, platform=QUICK, clock={"speed": 10})
    assert known_s(run) == pytest.approx([3.8])
    assert rows(run, "notifications")[0]["staff_s"] == pytest.approx(38.0)


# One order stream, four ages ----------------------------------------------------------------------------------------

DAY = {
    "clock": {"duration_s": 1800},
    "demand": {"orders_per_hour": 400},
    "city": {"merchants": {"stock_per_dish": 500}},
}
AGES = ("phone", "app", "app_printer", "cloud")


@pytest.fixture(scope="module")
def ages(town: Any) -> dict[str, tuple[Scenario, ModelRun]]:
    """The same half hour in each age, with faults where a printer stands."""
    from o2o_sim.demand.build import build_trace

    found = {}
    for age in AGES:
        printing = {"age": age, "faults": {"paper_end": 0.03, "offline": 0.03, "lost_ack": 0.03}}
        scenario, city = town(DAY | {"printing": printing})
        found[age] = scenario, simulate(scenario, city, build_trace(scenario, city))
    return found


def test_the_four_ages_meet_the_same_orders(ages: Any) -> None:
    def asked(run: ModelRun) -> list[Any]:
        names = ("order_id", "user_id", "merchant_id", "intended", "items", "paid", "total_fen")
        return [[row[name] for name in names] for row in rows(run, "orders")]

    first = asked(ages["cloud"][1])
    assert len(first) > 150
    assert all(asked(run) == first for _, run in ages.values())


@pytest.mark.parametrize("age", AGES)
def test_every_age_keeps_its_promises(ages: Any, age: str) -> None:
    scenario, run = ages[age]
    verdicts = audit(run.tables, scenario, horizon_s=run.horizon_s)
    assert [verdict for verdict in verdicts if not verdict.ok] == []
    assert clean(verdicts)


def test_each_age_is_quicker_takes_less_of_peoples_time_and_errs_less(ages: Any) -> None:
    found = [notification(run.tables, scenario, speed=1.0) for scenario, run in ages.values()]
    assert [figures.age for figures in found] == list(AGES)
    assert len({figures.orders for figures in found}) == 1
    medians, staff = [figures.known.p50_s for figures in found], [figures.staff_s for figures in found]
    assert medians == sorted(medians, reverse=True)
    assert staff == sorted(staff, reverse=True)
    assert staff[-1] == 0.0
    assert found[0].caller_s > 0.0
    assert [figures.caller_s for figures in found[1:]] == [0.0, 0.0, 0.0]
    assert found[0].wrong > found[1].wrong > 0
    assert [figures.wrong for figures in found[2:]] == [0, 0]


def test_what_is_miscopied_in_the_app_is_misheard_by_phone_too(ages: Any) -> None:
    """Common random numbers: the app's chances are lower, so its wrong orders are among the phone's."""

    def wrong(run: ModelRun) -> set[int]:
        items = {row["order_id"]: row["items"] for row in rows(run, "orders")}
        return {
            note["order_id"]
            for note in rows(run, "notifications")
            if note["slip"] is not None
            and sorted((line["name"], line["qty"]) for line in note["slip"])
            != sorted((line["name"], line["qty"]) for line in items[note["order_id"]])
        }

    heard, read = wrong(ages["phone"][1]), wrong(ages["app"][1])
    lost = {note["order_id"] for note in rows(ages["phone"][1], "notifications") if note["slip"] is None}
    assert read
    assert read <= heard | lost


def test_nobody_draws_luck_where_a_cloud_printer_prints(town: Any, intents: Any, monkeypatch: Any) -> None:
    """The present scenarios stay what they were: no draw more, no event more."""

    def asked(seed: int, purpose: str, *entity: int) -> Any:
        assert not purpose.startswith("notification."), purpose
        return stream(seed, purpose, *entity)

    monkeypatch.setattr("o2o_sim.notification.draws.stream", asked)
    scenario, city = town({})
    run = simulate(scenario, city, intents(city, {}))
    assert run.tables["notifications"].num_rows == 0


@pytest.mark.parametrize("age", ["phone", "app", "app_printer"])
def test_every_decision_of_an_age_is_the_rules(town: Any, intents: Any, age: str) -> None:
    busy = {
        "phone": PHONE | {"busy_share": 0.8, "redial_s": 60.0},
        "app": APP | {"look_mean_s": 150.0 if age == "app_printer" else 400.0},
    }
    scenario, city = town({"printing": {"age": age, "faults": {"lost_ack": 1.0}, **busy}})
    trace = intents(city, *({"intended_s": 20.0 * number} for number in range(12)))
    log = simulate(scenario, city, trace, decisions=True).tables["decisions"].to_pylist()
    asked = {row["rule"] for row in log}
    by_hand = {"phone": {"notification.after_call", "notification.overdue"}, "app": {"notification.overdue"}}
    assert asked >= {"tickets.step"} | by_hand.get(age, {"tickets.at_deadline", "tickets.after_failure"})
    for row in log:
        logged = Decision(row["rule"], row["input"], row["output"])
        assert rules.replay(logged) == logged
