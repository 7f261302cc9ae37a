"""Actors against a scripted platform: what they ask for, in which order, and how they take a no (A13, C1).

The platform here answers after a delay, sometimes with 503 or nothing: as a live one does.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from simpy import Environment, Event, Store

from o2o_domain.geo import haversine_m
from o2o_domain.leads import CHECK_IN_RADIUS_M, check_in
from o2o_sim.actors.spawn import spawn_actors
from o2o_sim.port import AppNotice, Assignment, Delivered, Reply, TicketOnPaper, VoucherIssued, Withdrawn
from o2o_sim.tempo import Tempo

DELAY_S = 0.25


class ScriptedPlatform:
    """Answers every call after DELAY_S: with the next scripted status for that call, then with `usual`."""

    def __init__(self, env: Environment, script: dict[str, list[int]] | None = None, leads: int = 0) -> None:
        self.env = env
        self.calls: list[tuple[float, str, tuple[Any, ...]]] = []
        self.on_reply: Callable[[str, tuple[Any, ...]], None] = lambda name, args: None
        self._script = {name: deque(statuses) for name, statuses in (script or {}).items()}
        self._leads = leads
        self.own: list[dict[str, Any]] = []
        """What `my_leads` answers."""
        self._inboxes: dict[tuple[str, int], Store] = defaultdict(lambda: Store(env))

    def __getattr__(self, name: str) -> Callable[..., Event]:
        def call(*args: Any) -> Event:
            self.calls.append((self.env.now, name, args))
            script = self._script.get(name)
            status = script.popleft() if script else 200
            open_leads = [{"lead_id": lead} for lead in range(self._leads)]
            body = {"open_leads": {"leads": open_leads}, "my_leads": {"leads": self.own}}.get(name, {})

            def answered(_: Event) -> None:
                self.on_reply(name, args)

            event = self.env.timeout(DELAY_S, Reply(status, body))
            event.callbacks.append(answered)
            return event

        return call

    def merchant_inbox(self, merchant_id: int) -> Store:
        return self._inboxes["merchant", merchant_id]

    def rider_inbox(self, rider_id: int) -> Store:
        return self._inboxes["rider", rider_id]

    def users_inbox(self) -> Store:
        return self._inboxes["users", 0]

    def named(self, *names: str) -> list[tuple[str, tuple[Any, ...]]]:
        return [(name, args) for _, name, args in self.calls if name in names]


@pytest.fixture
def stage(town, intents):
    """A function: (env, platform, log) with the town's actors at work on the given intents."""

    def make(*rows: dict[str, Any], script=None, over=None, leads=0):
        scenario, city = town(over)
        env = Environment()
        platform = ScriptedPlatform(env, script, leads)
        log = spawn_actors(env, scenario, city, intents(city, *rows), platform, Tempo(scenario.clock.speed))
        return env, platform, log

    return make


def test_a_kitchen_accepts_cooks_for_its_time_and_serves_once(stage):
    env, platform, log = stage({"prep_s": 300.0})
    for message in (TicketOnPaper(0), AppNotice(0), TicketOnPaper(0, 2)):
        platform.merchant_inbox(0).put(message)
    env.run(until=1000)
    assert platform.named("accept", "ready") == [("accept", (0, 0)), ("ready", (0, 0))]
    (accepted, ready) = [at for at, name, _ in platform.calls if name in ("accept", "ready")]
    assert ready == pytest.approx(accepted + DELAY_S + 300.0)
    assert log.kitchens[0].orders == 1


def test_orders_beyond_the_slots_wait_for_one(stage):
    env, platform, log = stage(*[{"prep_s": 100.0} for _ in range(9)])
    slots = log.kitchens[0].merchant.slots
    for order_id in range(9):
        platform.merchant_inbox(0).put(TicketOnPaper(order_id))
    env.run(until=5000)
    last = max(at for at, name, _ in platform.calls if name == "ready")
    rounds = -(-9 // slots)
    assert last == pytest.approx(DELAY_S + rounds * 100.0)
    assert log.kitchens[0].slots.max_queue(env.now) == max(9 - slots, 0)


def test_an_order_that_somebody_cancelled_is_not_cooked(stage):
    env, platform, log = stage({}, script={"accept": [409]})
    platform.merchant_inbox(0).put(TicketOnPaper(0))
    env.run(until=1000)
    assert platform.named("accept", "ready") == [("accept", (0, 0))]
    assert log.kitchens[0].orders == 0


def test_overload_and_silence_are_insisted_on_with_growing_pauses(stage):
    env, platform, _ = stage({}, script={"accept": [503, 0, 503]})
    platform.merchant_inbox(0).put(TicketOnPaper(0))
    env.run(until=1000)
    times = [at for at, name, _ in platform.calls if name == "accept"]
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx(
        [DELAY_S + 0.5, DELAY_S + 1.0, DELAY_S + 2.0]
    )
    assert platform.named("ready")


def test_a_platform_that_never_answers_is_given_up_after_ten_tries(stage):
    env, platform, _ = stage({}, script={"accept": [0] * 50})
    platform.merchant_inbox(0).put(TicketOnPaper(0))
    env.run(until=1000)
    assert len(platform.named("accept")) == 10


def test_a_rider_waits_for_the_dishes_and_brings_them(stage):
    env, platform, log = stage({"prep_s": 2000.0})
    platform.merchant_inbox(0).put(TicketOnPaper(0))
    platform.rider_inbox(3).put(Assignment(0, 0))
    env.run(until=6000)
    mine = [(name, args[:2]) for _, name, args in platform.calls if args[:1] == (3,) and name != "accept"]
    assert mine == [("rider_online", mine[0][1]), ("picked_up", (3, 0)), ("delivered", (3, 0))]
    ready = next(at for at, name, _ in platform.calls if name == "ready")
    picked = next(at for at, name, _ in platform.calls if name == "picked_up")
    assert picked == pytest.approx(ready + DELAY_S + 90.0)
    rider = log.riders[3]
    assert rider.orders == 1
    assert rider.node == 40
    driving_s, service_s, metres = rider.worked(env.now)
    assert service_s == 90.0 + 120.0
    assert driving_s > 0
    assert metres > 0


def test_a_withdrawn_order_frees_the_rider_at_the_counter(stage):
    env, platform, log = stage({}, {})
    platform.rider_inbox(3).put(Assignment(0, 0))
    env.run(until=3000)
    assert not platform.named("picked_up")
    platform.rider_inbox(3).put(Withdrawn(0))
    platform.merchant_inbox(0).put(TicketOnPaper(1))
    platform.rider_inbox(3).put(Assignment(1, 0))
    env.run(until=9000)
    assert platform.named("picked_up") == [("picked_up", (3, 1))]
    assert log.riders[3].orders == 1
    assert len(log.riders[3].engaged) == len(log.riders[3].released) == 2


def test_a_rider_whose_kitchen_gave_the_order_up_does_not_wait_for_ever(stage):
    env, platform, log = stage({}, script={"ready": [409]})
    platform.merchant_inbox(0).put(TicketOnPaper(0))
    platform.rider_inbox(3).put(Assignment(0, 0))
    env.run(until=6000)
    assert not platform.named("picked_up")
    assert len(log.riders[3].released) == 1


def test_the_shift_ends_after_the_order_in_hand(town, intents):
    from dataclasses import replace

    scenario, city = town()
    city = replace(city, riders=(replace(city.riders[0], rider_id=0, on_s=100.0, off_s=700.0),))
    env = Environment()
    platform = ScriptedPlatform(env, {"rider_offline": [409, 200]})
    log = spawn_actors(env, scenario, city, intents(city, {"prep_s": 1500.0}), platform, Tempo(1.0))
    platform.merchant_inbox(0).put(TicketOnPaper(0))

    def assign_late(name: str, args: tuple[Any, ...]) -> None:
        if name == "rider_offline" and len(platform.named("rider_offline")) == 1:
            platform.rider_inbox(0).put(Assignment(0, 0))  # assigned in the instant in which he wanted to go home

    platform.on_reply = assign_late
    env.run(until=9000)
    asked = [name for _, name, args in platform.calls if name.startswith(("rider", "deliv"))]
    assert asked == ["rider_online", "rider_offline", "delivered", "rider_offline"]
    rider = log.riders[0]
    assert rider.on == 100.0
    assert rider.off is not None
    assert rider.off > 1500.0


def test_who_never_comes_on_shift_asks_nothing(town, intents):
    from dataclasses import replace

    scenario, city = town()
    city = replace(city, riders=(replace(city.riders[0], on_s=-900.0, off_s=-100.0),))
    env = Environment()
    platform = ScriptedPlatform(env)
    log = spawn_actors(env, scenario, city, intents(city, {}), platform, Tempo(1.0))
    env.run(until=100)
    assert not platform.calls
    row = log.tables(100.0)["riders"].to_pylist()[0]
    assert row["on"] == row["off"] == -900.0


def test_reviews_and_redemptions_follow_the_trace(stage):
    env, platform, _ = stage(
        {"review_stars": 5, "user_id": 9},
        {"review_stars": 0},
        {"kind": "deal", "redeem_after_s": 500.0},
        {"kind": "deal", "redeem_after_s": None},
        over={"demand": {"deals_per_hour": 10}},
    )
    for order_id in (0, 1):
        platform.users_inbox().put(Delivered(order_id))
    for order_id in (2, 3):
        platform.users_inbox().put(VoucherIssued(order_id))
    env.run(until=50_000)
    assert platform.named("review") == [("review", (9, 0, 5))]
    assert [args[1] for _, args in platform.named("redeem")] == [2]
    assert next(at for at, name, _ in platform.calls if name == "redeem") == 500.0


def test_a_bd_claims_the_next_lead_when_another_was_faster_and_visits_it(stage):
    env, platform, log = stage(
        {}, script={"claim": [409, 409, 200]}, over={"crm": {"leads": 5, "bds": 1, "visits_per_day": 1}}, leads=4
    )
    env.run(until=20_000)
    assert [args for _, args in platform.named("claim")] == [(0, 0), (0, 1), (0, 2)]
    visits = platform.named("visit")
    assert [args[:2] for _, args in visits] == [(0, 2)]
    assert [visit.lead_id for visit in log.bds[0].visits] == [2]
    assert bool(platform.named("sign")) == log.bds[0].visits[0].signed


def test_a_bd_extends_warm_leads_about_to_drop_once_and_visits_his_own_first(stage):
    """C8."""
    crm = {"leads": 5, "bds": 1, "visits_per_day": 2, "extend_share": 1.0, "defend_days": 2}
    env, platform, log = stage({}, over={"crm": crm}, leads=5)
    day = 86_400.0
    platform.own = [
        {"lead_id": 1, "visits": 0, "due_in_s": 1.0 * day},  # nobody has been there: a visit keeps it
        {"lead_id": 2, "visits": 1, "due_in_s": 2.0 * day},
        {"lead_id": 3, "visits": 1, "due_in_s": 2.1 * day},
    ]
    env.run(until=30_000)
    assert platform.named("extend") == [("extend", (0, 2))]
    assert [visit.lead_id for visit in log.bds[0].visits] == [1, 2]
    assert not platform.named("claim")


def test_a_bd_who_never_extends_asks_for_none(stage):
    env, platform, _ = stage({}, over={"crm": {"leads": 5, "bds": 1, "extend_share": 0.0}})
    platform.own = [{"lead_id": 2, "visits": 1, "due_in_s": 10.0}]
    env.run(until=30_000)
    assert platform.named("my_leads")
    assert not platform.named("extend")


def test_a_bd_checks_in_where_he_stands_which_is_near_enough(stage, town):
    """C13."""
    over = {"crm": {"leads": 5, "bds": 1, "visits_per_day": 4}}
    env, platform, _ = stage({}, over=over, leads=5)
    env.run(until=40_000)
    leads = town(over)[1].leads
    visits = [args for _, args in platform.named("visit")]
    assert len(visits) == 4
    for _, lead_id, lat, lng, _ in visits:
        away_m = haversine_m(lat, lng, leads[lead_id].lat, leads[lead_id].lng)
        assert check_in(distance_m=away_m, radius_m=CHECK_IN_RADIUS_M) is None


def test_a_bd_signs_what_the_luck_of_the_lead_says(stage):
    env, platform, log = stage(
        {}, over={"crm": {"leads": 5, "bds": 1, "visits_per_day": 1, "sign_chance": 1.0}}, leads=1
    )
    env.run(until=20_000)
    visit = log.tables(env.now)["visits"].to_pylist()[0]
    assert visit["signed"]
    assert platform.named("sign") == [("sign", (0, 0))]
    assert visit["travel_s"] > 0


def test_at_speed_ten_the_city_takes_a_tenth_and_the_platform_as_long_as_ever(stage):
    env, platform, log = stage({"prep_s": 300.0}, over={"clock": {"speed": 10}})
    platform.merchant_inbox(0).put(TicketOnPaper(0))
    platform.rider_inbox(3).put(Assignment(0, 0))
    env.run(until=1000)
    (accepted, ready) = [at for at, name, _ in platform.calls if name in ("accept", "ready")]
    assert ready == pytest.approx(accepted + DELAY_S + 30.0)
    assert log.riders[3].worked(env.now)[1] == pytest.approx(21.0)
