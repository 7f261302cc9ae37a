"""Numbers as people read them: seconds, shares, money, clock times. Text only; nothing is counted here."""

from __future__ import annotations

import math

DASH = "–"


def seconds(value: float) -> str:
    """`0.8 ms`, `38 ms`, `1.24 s`, `12.3 s`, `3 min 12 s`, `4.0 h`, `90.0 days`; infinity is `never`, NaN a dash."""
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "never" if value > 0 else "-never"
    size, sign = abs(value), "-" if value < 0 else ""
    if size < 0.000_05:
        return "0 ms"
    if size < 0.01:
        return f"{sign}{size * 1000:.1f} ms"
    if size < 1:
        return f"{sign}{size * 1000:.0f} ms"
    if size < 10:
        return f"{sign}{size:.2f} s"
    if size < 120:
        return f"{sign}{size:.1f} s"
    if size >= 172_800:
        return f"{sign}{size / 86_400:.1f} days"
    if size >= 7200:
        return f"{sign}{size / 3600:.1f} h"
    minutes, rest = divmod(round(size), 60)
    return f"{sign}{minutes} min {rest:02d} s"


def minutes(value: float) -> str:
    """`34.2 min`."""
    return f"{value:.1f} min" if math.isfinite(value) else DASH


def share(value: float) -> str:
    """`99.95 %`; more digits close to 0 and 100 so that a miss is not rounded away."""
    if not math.isfinite(value):
        return DASH
    percent = value * 100
    if percent in (0.0, 100.0):
        return f"{percent:.0f} %"
    digits = 2 if min(percent, 100 - percent) < 2 else 1
    text = f"{percent:.{digits}f}"
    return f"{percent:.4f} %" if text in ("100.00", "0.00") else f"{text} %"


def count(value: float) -> str:
    """`12 345`, with a narrow space between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f") if math.isfinite(value) else DASH


def number(value: float, digits: int) -> str:
    """`1 234.50` with that many digits."""
    return f"{value:,.{digits}f}".replace(",", "\u202f") if math.isfinite(value) else DASH


def clock(run_s: float, *, start_min: float, speed: float, precise: bool = False) -> str:
    """The city's clock at `run_s` run seconds: `11:20`, or `11:20:05`."""
    if not math.isfinite(run_s):
        return DASH
    total = round(start_min * 60 + run_s * speed)
    hours, rest = divmod(total, 3600)
    text = f"{hours % 24:02d}:{rest // 60:02d}"
    return f"{text}:{rest % 60:02d}" if precise else text
