"""The four ages of order notification (A14): how a kitchen hears of an order, and what goes wrong on the way.

Decides which ages there are, what their steps are and who does them, what a copying error is and how it is found by
comparing what was ordered with what was written, when a call is made again, and when an order that is not in the
kitchen is told by other means. Leaves how long people take, chance and the clock to others.

    phone         somebody phones the merchant, a waiter writes the order down
    app           the merchant's app rings, a waiter reads the screen and copies it for the kitchen
    app_printer   the app rings, somebody taps "print", the attached printer prints
    cloud         the cloud printer prints, nobody does anything

Rules that hold in this file:
- by hand (phone, app) the platform knows that the order was told, and not what the kitchen got: a wrong slip is seen by
  nobody but the user, and a slip that never arrives comes to light when rider or user ask;
- by hand nothing can be printed twice, so an order that is late is not given up but told by other means: the ladder of
  the app is the one of tickets, that of the phone is the owner's own phone, which is never engaged;
- where a machine prints (app_printer, cloud) the rules of `tickets` hold without exception.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from o2o_domain.errors import DomainError
from o2o_domain.tickets import LADDER, Escalation, PrintPolicy


class Age(StrEnum):
    """The stages of the seed, in the order in which they came."""

    PHONE = "phone"
    APP = "app"
    APP_PRINTER = "app_printer"
    CLOUD = "cloud"


class Who(StrEnum):
    """Who does a step."""

    CALLER = "caller"
    """The platform's own people at the telephone."""
    STAFF = "staff"
    """Whoever takes orders at the merchant's."""
    PLATFORM = "platform"
    PRINTER = "printer"


@dataclass(frozen=True, slots=True)
class Step:
    """A step from the paid order to the kitchen; `copies`: somebody writes down by hand what was ordered."""

    name: str
    who: Who
    copies: bool = False


STEPS: Mapping[Age, tuple[Step, ...]] = MappingProxyType(
    {
        Age.PHONE: (  # seed: "Meituan tells the merchant, the waiter notes dishes, name, phone, address"
            Step("call", Who.CALLER),
            Step("answer", Who.STAFF),
            Step("write", Who.STAFF, copies=True),
            Step("carry", Who.STAFF),
        ),
        Age.APP: (  # seed: "the merchant's app is told, the waiter notes"
            Step("tell", Who.PLATFORM),
            Step("look", Who.STAFF),
            Step("write", Who.STAFF, copies=True),
            Step("carry", Who.STAFF),
        ),
        Age.APP_PRINTER: (  # seed: "the merchant's app is told, the attached printer prints"
            Step("tell", Who.PLATFORM),
            Step("look", Who.STAFF),
            Step("tap", Who.STAFF),
            Step("print", Who.PRINTER),
        ),
        Age.CLOUD: (Step("print", Who.PRINTER),),  # seed: "the cloud printer prints"
    }
)
"""What happens between the paid order and the kitchen, age by age."""


def by_hand(age: Age) -> bool:
    """Whether the kitchen's slip is written by a hand."""
    return any(step.copies for step in STEPS[age])


def by_app(age: Age) -> bool:
    """Whether somebody must look at the merchant's app."""
    return any(step.name == "look" for step in STEPS[age])


# Copying ------------------------------------------------------------------------------------------------------------


class CopyError(StrEnum):
    """How a slip may differ from the order."""

    WRONG_DISH = "wrong_dish"
    WRONG_QUANTITY = "wrong_quantity"
    MISSED_LINE = "missed_line"
    MISSED_ORDER = "missed_order"
    """The slip never reached the kitchen, or nothing stands on it."""


@dataclass(frozen=True, slots=True)
class CopyChances:
    """Chances of the errors: the first three a line, the last an order. Raises DomainError for what is no chance."""

    wrong_dish: float = 0.0
    wrong_quantity: float = 0.0
    missed_line: float = 0.0
    missed_order: float = 0.0

    def __post_init__(self) -> None:
        line = self.wrong_dish + self.wrong_quantity + self.missed_line
        if min(self.wrong_dish, self.wrong_quantity, self.missed_line, self.missed_order) < 0.0:
            raise DomainError("chances of copying errors must not be negative")
        if line > 1.0 + 1e-9 or self.missed_order > 1.0:
            raise DomainError("chances of copying errors must not exceed 1")


SlipLine: TypeAlias = tuple[str, int]
"""A dish's name and how many of it."""
Slip: TypeAlias = tuple[SlipLine, ...]


def mistake(chances: CopyChances, luck: float) -> CopyError | None:
    """The error made on a line whose luck is `luck` in [0, 1): bad luck is small, and low chances make fewer errors.

    Worked: wrong_dish 0.02, wrong_quantity 0.01: 0.019 is a wrong dish, 0.025 a wrong quantity, 0.03 none.
    """
    bound = 0.0
    for error, chance in (
        (CopyError.WRONG_DISH, chances.wrong_dish),
        (CopyError.WRONG_QUANTITY, chances.wrong_quantity),
        (CopyError.MISSED_LINE, chances.missed_line),
    ):
        bound += chance
        if luck < bound:
            return error
    return None


def copied(
    lines: Sequence[SlipLine], menu: Sequence[str], mistakes: Sequence[CopyError | None], picks: Sequence[float]
) -> Slip:
    """What is written for `lines` when `mistakes` (one a line) are made; `picks` in [0, 1) choose what stands there.

    A wrong dish is another of the menu that was not ordered; where there is none, the line is right. A wrong quantity
    is one more or one less, and never none. Raises DomainError unless there is a mistake and a pick for each line.
    """
    if not len(lines) == len(mistakes) == len(picks):
        raise DomainError("each line needs its mistake (or None) and its pick")
    ordered = {name for name, _ in lines}
    others = [name for name in dict.fromkeys(menu) if name not in ordered]
    written: list[SlipLine] = []
    for (name, qty), error, pick in zip(lines, mistakes, picks, strict=True):
        if error is CopyError.MISSED_LINE:
            continue
        if error is CopyError.WRONG_DISH and others:
            written.append((others[int(pick * len(others))], qty))
        elif error is CopyError.WRONG_QUANTITY:
            written.append((name, qty + 1 if pick < 0.5 or qty == 1 else qty - 1))
        else:
            written.append((name, qty))
    return tuple(written)


def differences(ordered: Sequence[SlipLine], got: Sequence[SlipLine] | None) -> Counter[CopyError]:
    """How what the kitchen got differs from what was ordered; empty: it does not. None: the kitchen got nothing.

    Lines of one dish count together and order does not matter. A dish that was not ordered stands for one that is
    missing (wrong dish); what is missing beyond is a missed line. Worked: ordered 2 rice, 1 soup; got 1 rice, 1 tea ->
    one wrong quantity, one wrong dish.
    """
    if not got and ordered:
        return Counter({CopyError.MISSED_ORDER: 1})
    want, have = _together(ordered), _together(got or ())
    found: Counter[CopyError] = Counter()
    missing = sum(1 for name in want if name not in have)
    strange = sum(1 for name in have if name not in want)
    quantity = sum(1 for name, qty in want.items() if name in have and have[name] != qty)
    for error, number in (
        (CopyError.WRONG_DISH, strange),
        (CopyError.MISSED_LINE, max(missing - strange, 0)),
        (CopyError.WRONG_QUANTITY, quantity),
    ):
        if number:
            found[error] = number
    return found


def _together(lines: Sequence[SlipLine]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for name, qty in lines:
        sums[name] += qty
    return sums


# Calls and lateness -------------------------------------------------------------------------------------------------


class CallOutcome(StrEnum):
    """How a call to the merchant ended that did not end in a slip."""

    BUSY = "busy"
    """The line was engaged."""
    NO_ANSWER = "no_answer"
    """It rang, and nobody had a hand free in time."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How often the shop is called, and the pause between two calls in seconds; then the owner's own phone."""

    max_calls: int = 5
    redial_s: float = 60.0
    deadline_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Redial:
    """Call the shop again at `at` (same clock as the arguments, seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class CallOwner:
    """Call the owner's own phone now: the order is escalated to `level`."""

    level: Escalation = Escalation.PHONE


def after_call(policy: CallPolicy, *, calls: int, queued_at: float, now: float) -> Redial | CallOwner:
    """What follows the `calls`-th call to the shop (1 = the first), which ended at `now` without a slip (A14).

    A call that would begin after queued_at + deadline_s is not made. Worked: 60 s, deadline 180 s, queued at 0: a call
    that ends at 100 is repeated at 160, one that ends at 130 is the shop's last.
    """
    at = now + policy.redial_s
    if calls >= policy.max_calls or at > queued_at + policy.deadline_s:
        return CallOwner()
    return Redial(at)


def ladder(age: Age) -> tuple[Escalation, ...]:
    """The means by which an order is told that is not in the kitchen in time, lowest first."""
    return (Escalation.PHONE,) if age is Age.PHONE else LADDER


def overdue(
    age: Age, policy: PrintPolicy, *, queued_at: float, level: Escalation | None, now: float
) -> Escalation | None:
    """The step that is due now for an order that is to be written down by hand and is not in the kitchen; None: none.

    The n-th step of the age's ladder is due n times deadline_s after queueing, one step a call. Worked: deadline 180 s,
    queued at 0: by phone the owner is called from 180 on; in the app it rings again from 180, SMS from 360.
    Raises DomainError for an age in which a machine prints: `tickets.at_deadline` decides there.
    """
    if not by_hand(age):
        raise DomainError(f"age {age}: a machine prints, its tickets have their own rule")
    steps = ladder(age)
    number = 0 if level is None else steps.index(level) + 1
    if number >= len(steps):
        return None
    due = queued_at
    for _ in range(number + 1):  # a sum and no product, as a clock that waits step by step rounds
        due += policy.deadline_s
    return steps[number] if now >= due else None
