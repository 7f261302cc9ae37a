"""Rider choice, pools, print retry and opening hours against plain restatements of their rules."""

from __future__ import annotations

from math import inf, nextafter

from hypothesis import given
from hypothesis import strategies as st

from o2o_domain import orders, pools, tickets
from o2o_domain.dispatch import Assigned, Candidate, DispatchPolicy, NoRider, Pickup, choose_rider, next_for
from o2o_domain.geo import haversine_m
from o2o_domain.hours import is_open
from o2o_domain.pools import DAY_S, Extended, GrantedHold, Hold, PoolPolicy
from o2o_domain.refusal import Refused

# A coarse grid of places makes equal distances common.
PLACES = st.integers(-6, 6).map(lambda step: step * 0.005)
RIDERS = st.lists(
    st.builds(
        Candidate,
        rider_id=st.integers(0, 99),
        lat=PLACES.map(lambda d: 31.2 + d),
        lng=PLACES.map(lambda d: 121.4 + d),
        load=st.integers(0, 1),
        speed_kmh=st.sampled_from([0.0, 5.0, 25.0]),
        served=st.integers(0, 3),
    ),
    max_size=12,
    unique_by=lambda rider: rider.rider_id,
)
POLICIES = st.builds(DispatchPolicy, st.sampled_from(["nearest", "least_loaded"]), st.floats(100, 5000))


@given(RIDERS, POLICIES, st.randoms(use_true_random=False))
def test_the_choice_is_the_minimum_over_all_riders(
    riders: list[Candidate], policy: DispatchPolicy, shuffler: object
) -> None:
    """The shortcuts change nothing: compare with sorting everybody."""
    far = {rider.rider_id: haversine_m(rider.lat, rider.lng, 31.2, 121.4) for rider in riders}
    free = [rider for rider in riders if rider.load == 0 and rider.speed_kmh > 0]
    near = [rider for rider in free if far[rider.rider_id] <= policy.max_radius_m]
    key = {
        "nearest": lambda rider: (far[rider.rider_id], rider.rider_id),
        "least_loaded": lambda rider: (rider.served, far[rider.rider_id], rider.rider_id),
    }[policy.rule]
    answer = choose_rider((31.2, 121.4), riders, policy)
    if near:
        best = min(near, key=key)
        distance = far[best.rider_id]
        assert answer == Assigned(best.rider_id, distance, distance * 3.6 / best.speed_kmh)
    else:
        assert answer == NoRider("no_candidates" if not riders else "out_of_radius" if free else "all_busy")
    shuffled = list(riders)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose_rider((31.2, 121.4), shuffled, policy) == answer


@given(RIDERS, RIDERS, POLICIES)
def test_a_free_rider_gets_the_longest_waiting_order_that_may_have_him(
    riders: list[Candidate], places: list[Candidate], policy: DispatchPolicy
) -> None:
    """A13: first come, first served, among those within the radius."""
    waiting = [Pickup(number, place.lat, place.lng) for number, place in enumerate(places)]
    for rider in riders:
        near = [
            order.order_id
            for order in waiting
            if haversine_m(rider.lat, rider.lng, order.lat, order.lng) <= policy.max_radius_m
        ]
        able = rider.load == 0 and rider.speed_kmh > 0
        assert next_for(rider, waiting, policy) == (near[0] if near and able else None)


POOL = st.builds(
    PoolPolicy,
    quota=st.integers(1, 5),
    term_days=st.integers(1, 60),
    visit_days=st.integers(1, 30),
    contract_days=st.integers(1, 40),
    extension_days=st.integers(0, 30),
    max_extensions=st.integers(0, 3),
    extension_resets=st.sampled_from(["term", "all"]),
)
INSTANTS = st.floats(0, 100 * DAY_S)
HOLDS = st.builds(
    Hold,
    owner=st.integers(0, 9),
    claimed_at_s=INSTANTS,
    last_visit_s=st.none() | INSTANTS,
    signed=st.booleans(),
    extensions=st.integers(0, 2),
    protected_until_s=st.none() | INSTANTS,
    term_start_s=st.none() | INSTANTS,
)


@given(HOLDS, POOL)
def test_a_hold_drops_at_its_next_check_and_not_a_moment_before(hold: Hold, policy: PoolPolicy) -> None:
    """C7: so a timer set at next_check_s finds the drop due, and an earlier sweep does not."""
    due = pools.next_check_s(hold, policy)
    drop = pools.drop_due(hold, policy, due)
    assert drop is not None
    assert drop.due_s == due
    assert pools.drop_due(hold, policy, nextafter(due, -inf)) is None
    assert pools.drop_due(hold, policy, due + 1e6) == drop


@given(st.integers(0, 3), st.booleans(), INSTANTS, st.none() | st.floats(0, 40), st.floats(0, 60))
def test_the_45_15_30_rule_restated(
    extensions: int, is_signed: bool, claimed: float, visit_day: float | None, at_day: float
) -> None:
    """C7 in the seed's words, for extensions of 15 days that lengthen the term."""
    visit_s = None if visit_day is None else claimed + visit_day * DAY_S
    now = claimed + at_day * DAY_S
    hold = Hold(0, claimed, visit_s, is_signed, extensions)
    dropped = (
        now >= (claimed if visit_s is None else visit_s) + 15 * DAY_S
        or (not is_signed and now >= claimed + 30 * DAY_S)
        or now >= claimed + (45 + 15 * extensions) * DAY_S
    )
    assert (pools.drop_due(hold, PoolPolicy(), now) is not None) is dropped


@given(HOLDS, POOL)
def test_extending_never_shortens_and_is_bounded(hold: Hold, policy: PoolPolicy) -> None:
    """C8."""
    given_times = 0
    answer = pools.extend(hold, policy, by_owner=True)
    while isinstance(answer, Extended):
        given_times += 1
        assert pools.next_check_s(answer.hold, policy) >= pools.next_check_s(hold, policy)
        hold = answer.hold
        answer = pools.extend(hold, policy, by_owner=True)
    assert hold.extensions >= policy.max_extensions
    assert given_times <= policy.max_extensions


@given(HOLDS, POOL, INSTANTS)
def test_a_visit_never_brings_the_drop_nearer(hold: Hold, policy: PoolPolicy, now_s: float) -> None:
    later = pools.visited(hold, max(now_s, hold.last_visit_s or 0.0))
    assert pools.next_check_s(later, policy) >= pools.next_check_s(hold, policy)


@given(st.lists(st.tuples(st.sampled_from(["claim", "assign", "drop"]), st.integers(0, 5), st.integers(0, 3))), POOL)
def test_no_script_of_claims_and_assignments_breaks_a_quota(
    script: list[tuple[str, int, int]], policy: PoolPolicy
) -> None:
    """C6: no BD above quota at any instant, each lead one owner."""
    holds: dict[int, Hold] = {}
    for now, (what, lead, bd) in enumerate(script):
        held = sum(hold.owner == bd for hold in holds.values())
        before = holds.get(lead)
        if what == "drop":
            holds.pop(lead, None)
        elif what == "claim":
            answer = pools.claim(owner=None if before is None else before.owner, held=held, policy=policy)
            if isinstance(answer, pools.Granted):
                assert before is None
                holds[lead] = pools.start(bd, now)
        else:
            handed = pools.assign(
                before, to=bd, by_is_superior=True, held_by_target=held, policy=policy, now_s=float(now)
            )
            if isinstance(handed, GrantedHold):
                assert handed.hold.owner == bd
                holds[lead] = handed.hold
        for who in range(4):
            assert sum(hold.owner == who for hold in holds.values()) <= policy.quota


PRINT = st.builds(
    tickets.PrintPolicy,
    max_attempts=st.integers(1, 8),
    backoff_s=st.floats(0, 100),
    ack_timeout_s=st.floats(0, 60),
    deadline_s=st.floats(0, 1000),
)


@given(PRINT, st.lists(st.tuples(st.sampled_from(list(tickets.PrintOutcome)), st.floats(0, 30)), min_size=10))
def test_printing_ends_in_time_and_never_repeats_what_may_be_on_paper(
    policy: tickets.PrintPolicy, script: list[tuple[tickets.PrintOutcome, float]]
) -> None:
    """A14: a ticket's attempts are bounded, spaced, and stop for good after silence."""
    now = 0.0
    for attempts, (outcome, took) in enumerate(script, start=1):
        started = now
        now += took
        after = tickets.after_failure(policy, attempts=attempts, outcome=outcome, queued_at=0.0, now=now)
        assert isinstance(after, tickets.Unconfirmed) is (outcome is tickets.PrintOutcome.SILENT)
        assert attempts == 1 or started <= policy.deadline_s
        if not isinstance(after, tickets.Retry):
            break
        assert after.at >= now
        now = after.at
    assert attempts <= policy.max_attempts


@given(PRINT, st.sampled_from([None, *tickets.Escalation]), st.floats(0, 1e6), st.floats(0, 1e6))
def test_an_escalation_once_due_stays_due(
    policy: tickets.PrintPolicy, level: tickets.Escalation | None, one: float, other: float
) -> None:
    early, late = sorted((one, other))
    due = tickets.escalation_due(policy, queued_at=0.0, level=level, now=early)
    assert due in (None, tickets.escalate(level))
    if due is not None:
        assert tickets.escalation_due(policy, queued_at=0.0, level=level, now=late) == due


@given(
    PRINT,
    st.sampled_from(list(tickets.TicketState)),
    st.sampled_from([None, *tickets.Escalation]),
    st.floats(0, 1e6),
    st.floats(0, 1e4),
)
def test_at_its_deadline_a_ticket_is_on_paper_or_visibly_not(
    policy: tickets.PrintPolicy,
    state: tickets.TicketState,
    level: tickets.Escalation | None,
    queued: float,
    waited: float,
) -> None:
    """A14: what is unsent then fails and is never printed; what was sent stays, and somebody is told."""
    now = queued + waited
    due = tickets.at_deadline(policy, state=state, queued_at=queued, level=level, now=now)
    late = now >= queued + policy.deadline_s
    if state is tickets.TicketState.PRINTED or not late:
        assert due is None
    elif state in tickets.UNSENT:
        assert due == tickets.GiveUp("deadline", tickets.Escalation.APP, "deadline")
        assert tickets.step(state, tickets.TicketEvent.FAIL) in tickets.VISIBLE
    else:
        assert due is None or due.level == tickets.escalate(level)  # type: ignore[union-attr]
        assert due is not None or level is not None


@given(st.sampled_from(["order", "deal"]), st.lists(st.sampled_from(list(orders.OrderEvent)), max_size=30))
def test_whatever_happens_an_order_ends_at_most_once(kind: str, events: list[orders.OrderEvent]) -> None:
    """A13: one terminal state, and nothing moves afterwards."""
    state = orders.OrderState.PENDING_PAYMENT
    ended: set[orders.OrderState] = set()
    for event in events:
        after = orders.step(kind, state, event)
        if isinstance(after, Refused):
            assert (state, event) not in orders.VERTICALS[kind]
        else:
            assert not ended
            state = after
        if state in orders.TERMINAL[kind]:
            ended.add(state)
            assert orders.settled(kind, state)
    assert len(ended) <= 1


@given(st.integers(0, 1440), st.integers(0, 1440))
def test_a_day_has_as_many_open_minutes_as_the_hours_say(open_min: int, close_min: int) -> None:
    minutes = sum(is_open(open_min, close_min, minute) for minute in range(1440))
    assert minutes == (close_min - open_min if open_min <= close_min else 1440 - open_min + close_min)
