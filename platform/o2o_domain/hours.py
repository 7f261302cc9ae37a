"""Opening hours: whether a shop takes orders at a minute of the day.

Decides the edges (open at `open_min`, closed at `close_min`) and shops that stay open past midnight. Leaves days of
the week and holidays to the shop's own switches.
"""

from __future__ import annotations

DAY_MIN = 1440


def is_open(open_min: int, close_min: int, minute_of_day: int) -> bool:
    """True from `open_min` on, until just before `close_min` (minutes since midnight, 0..1440).

    `close_min` before `open_min` means past midnight (1320 to 120 is 22:00 to 02:00); equal means never open.
    `minute_of_day` beyond 1439 wraps, so that a run longer than a day can pass its own clock.
    """
    minute = minute_of_day % DAY_MIN
    if open_min <= close_min:
        return open_min <= minute < close_min
    return minute >= open_min or minute < close_min
