"""Money: integer fen (1 yuan = 100 fen) and how it is written and shared.

Decides rounding (half up, symmetric around 0, so that a reversal is exact) and the written form with the fullwidth
yen sign U+FFE5, the one that GB2312 printers have. Leaves currencies other than the yuan out.
"""

from __future__ import annotations

_PPM = 1_000_000


def yuan(fen: int) -> str:
    """`fen` as text on tickets and pages: 1234 -> "￥12.34", -5 -> "-￥0.05"."""
    if fen < 0:
        return "-" + yuan(-fen)
    return f"￥{fen // 100}.{fen % 100:02d}"


def share(fen: int, share: float) -> int:
    """The part `share` (0..1) of `fen`, rounded half up away from 0; exact for shares of up to six decimals.

    Worked: share(1005, 0.1) = 101 (100.5 rounded up); share(-1005, 0.1) = -101.
    """
    ppm = round(share * _PPM)
    if fen < 0:
        return -((-fen * ppm * 2 + _PPM) // (2 * _PPM))
    return (fen * ppm * 2 + _PPM) // (2 * _PPM)
