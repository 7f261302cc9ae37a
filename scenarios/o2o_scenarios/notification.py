"""The people between an order and the kitchen (A14): how long they take, and how often they miswrite.

Decides the fields of `printing.phone`, `printing.app`, `printing.attached` and `printing.staff`. Which age a scenario
is in is `printing.age`; the steps of each are o2o_domain.notification's.

The seed (a talk's slides) names the four ages and what a waiter notes (dishes, name, phone, address), and gives no
figure. So every default here is ASSUMED, with its reason beside it; nothing is measured. Times are city seconds of
people at work, and `clock.speed` compresses them like all of the city.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from o2o_scenarios.quantities import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Spec

AgeName = Literal["phone", "app", "app_printer", "cloud"]
CABLE_FAULTS = ("paper_end", "offline", "lost_ack")
"""Faults of `printing.faults` that a printer on a cable beside the app can have."""


class CopyingSpec(Spec):
    """Chances of a copying error: the first three for each line, the last for each order.

    Assumed. Reliability handbooks take some 3 in 1,000 for misreading or miswriting a plainly shown item and 1 in 100
    for leaving one out without a list to tick; a kitchen at its peak is worse placed than their control rooms.
    """

    wrong_dish: Fraction = 0.005
    wrong_quantity: Fraction = 0.003
    missed_line: Fraction = 0.003
    missed_order: Fraction = 0.003
    """The slip is lost between counter and kitchen (blown off, under another, in an apron's pocket)."""

    @model_validator(mode="after")
    def _chances(self) -> CopyingSpec:
        if self.wrong_dish + self.wrong_quantity + self.missed_line > 1.0 + 1e-9:
            raise ValueError("the chances wrong_dish + wrong_quantity + missed_line must not exceed 1")
        return self


class StaffSpec(Spec):
    """Who takes orders at each merchant; they do nothing else in the model, so queues are those of orders alone."""

    on_shift: PositiveInt = 1
    """Assumed: a small shop has one person at the counter."""
    pace_sigma: NonNegativeFloat = 0.25
    """Sigma of the log-normal factor by which one order takes longer than another (mean 1). Assumed."""
    carry_s: NonNegativeFloat = 10.0
    """From counter to kitchen with a slip, and back. Assumed: 5 m each way at 1 m/s."""
    missed_found_s: PositiveFloat = 1500.0
    """Until rider or user ask for an order whose slip was lost. Assumed: a rider comes within 25 minutes."""
    late_fen_per_min: NonNegativeFloat = 50.0
    """What a minute beyond the promise costs the platform (coupons, refunds). Assumed: 5 yuan for ten minutes."""


class PhoneSpec(Spec):
    """The first age: the platform's people phone, a waiter writes."""

    callers: PositiveInt = 12
    """The platform's people at telephones, for all merchants. Assumed: enough but at the peak."""
    lines: PositiveInt = 1
    """Telephone lines of a merchant. Assumed: one."""
    busy_share: Fraction = 0.1
    """Chance that somebody else is on the merchant's line. Assumed."""
    engaged_s: NonNegativeFloat = 5.0
    """A caller dials and hears the engaged tone. Assumed."""
    ring_mean_s: NonNegativeFloat = 8.0
    """Mean of the exponential time in which a free hand reaches the telephone. Assumed: two rings."""
    ring_limit_s: PositiveFloat = 30.0
    """A caller hangs up when nobody has answered. Assumed: six rings."""
    greeting_s: NonNegativeFloat = 8.0
    """Who calls, and for what; and good-bye. Assumed."""
    dictate_s_per_line: NonNegativeFloat = 6.0
    """A dish and its count are said, written and said back. Assumed: six characters at one a second."""
    customer_s: NonNegativeFloat = 25.0
    """Name, telephone and address are said and written. Assumed: some 25 characters and digits at one a second."""
    redial_s: PositiveFloat = 60.0
    """Pause before a call that came to nothing is made again. Assumed: a caller has other calls to make."""
    max_calls: PositiveInt = 5
    """After so many calls to the shop, or when the deadline comes, the owner's own phone is called. Assumed."""
    copying: CopyingSpec = CopyingSpec(wrong_dish=0.015, wrong_quantity=0.008, missed_line=0.006, missed_order=0.005)
    """Heard over a noisy line. Assumed: two to three times those of reading."""


class AppSpec(Spec):
    """The second age, and the looking of the third: the merchant's app rings."""

    look_mean_s: NonNegativeFloat = 30.0
    """Mean of the exponential time until somebody looks at the app. Assumed: staff are never far, and not beside it."""
    open_s: NonNegativeFloat = 3.0
    """Wake the screen, open the order. Assumed: a thought and two taps (keystroke-level model: 1.35 s + 2 x 0.8 s)."""
    copy_s_per_line: NonNegativeFloat = 5.0
    """Read a dish and its count and write them. Assumed: a little less than by dictation, nobody waits for an echo."""
    customer_s: NonNegativeFloat = 20.0
    """Copy name, telephone and address. Assumed: some 25 characters and digits, faster than by dictation."""
    copying: CopyingSpec = CopyingSpec()


class AttachedSpec(Spec):
    """The third age: a printer attached to the app; looking is `app.look_mean_s`."""

    tap_s: NonNegativeFloat = 2.5
    """Find "print" and tap it. Assumed: keystroke-level model, a thought of 1.35 s and a tap of 1.1 s."""
    tear_s: NonNegativeFloat = 3.0
    """Tear the ticket off and pass it through the hatch. Assumed."""
    mend_poll_s: PositiveFloat = 10.0
    """How often staff try again while the printer cannot print, or nobody knows of its last ticket. Assumed."""
