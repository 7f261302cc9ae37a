"""Printers that exist, as profiles, and where each figure comes from.

Decides nothing by itself. SOURCES names the source of every figure that a data sheet or a published profile states;
what is not in it is assumed, and says so when asked (`source`). Data sheets were read as published by manual archives;
escpos-printer-db is the profile collection that python-escpos ships (CC BY 4.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from o2o_devices.mechanism import Profile

TM_T88III = Profile(
    name="epson-tm-t88iii",
    width_mm=79.5,
    dots=512,
    mm_s=150.0,
    dots_per_mm=180 / 25.4,
    line_dots=30,
    cut_feed_mm=15.0,
    buffer_bytes=4096,
    reserve_bytes=128,
    on_paper_end="resume",
)
TM_T20II = Profile(
    name="epson-tm-t20ii", width_mm=80.0, dots=576, mm_s=200.0, dots_per_mm=203 / 25.4, on_paper_end="resume"
)
SP_POS58IV = Profile(
    name="sprt-sp-pos58iv",
    width_mm=57.5,
    dots=384,
    mm_s=90.0,
    dots_per_mm=203 / 25.4,
    line_dots=30,
    cut_s=0.0,
    cut_feed_mm=8.0,
    roll_mm=30_000.0,
    near_end_mm=0.0,
    heat_mm=1_500.0,
)
POS_5890 = Profile(
    name="zjiang-pos-5890",
    width_mm=57.5,
    dots=384,
    mm_s=90.0,
    dots_per_mm=203 / 25.4,
    cut_s=0.0,
    cut_feed_mm=8.0,
    roll_mm=30_000.0,
    near_end_mm=0.0,
    buffer_bytes=2048,
    overrun="drop",
    on_paper_end="garbage",
    heat_mm=1_200.0,
)
MIXED: tuple[Profile, ...] = (
    POS_5890, SP_POS58IV, TM_T20II, POS_5890, SP_POS58IV, POS_5890, TM_T88III, SP_POS58IV, POS_5890, TM_T20II,
)  # fmt: skip
"""A town's printers, ten by ten: 40 % zjiang-pos-5890, 30 % sprt-sp-pos58iv, 20 % epson-tm-t20ii, 10 % epson-tm-t88iii.

Assumed: most shops have a cheap 58 mm printer; no survey of what merchants own was found."""
MODELS = {profile.name: profile for profile in (TM_T88III, TM_T20II, SP_POS58IV, POS_5890)}

_T88III = "Epson TM-T88III Series Specification (STANDARD), Rev. B"
_DB = "escpos-printer-db"
_SPRT = "SPRT SP-POS58IV User's Manual"
SOURCES: dict[str, dict[str, str]] = {
    "epson-tm-t88iii": {
        "width_mm": f"{_T88III}, paper 79.5 +- 0.5 mm",
        "dots": f"{_DB} TM-T88III: 512 pixels, 42 columns",
        "mm_s": f"{_T88III}: 150 mm/s",
        "dots_per_mm": f"{_T88III}: 180 dpi",
        "cut_feed_mm": f"{_T88III}, page 7, figure 1.7.1: dot line to cutter about 15 mm",
        "buffer_bytes": f"{_T88III}, page 7, 1.8: 45 bytes or 4 KB by DIP switch",
        "reserve_bytes": f"{_T88III}, table 2.1.1: full when 128 bytes remain, received on",
    },
    "epson-tm-t20ii": {
        "dots": f"{_DB} TM-T20II: 576 pixels, 48 columns",
        "dots_per_mm": f"{_DB} TM-T20II: 203 dpi",
    },
    "sprt-sp-pos58iv": {
        "line_dots": f"{_SPRT}, page 13: 30 dot lines",
        "dots_per_mm": f"{_SPRT}, page 13: a dot line is 1/203 inch",
        "cut_s": f"{_SPRT}, page 27: no cutter (DLE EOT 3 bit 3 fixed to 0)",
        "near_end_mm": f"{_SPRT}, page 27: no near-end sensor (DLE EOT 4 bits 2, 3 fixed)",
    },
    "zjiang-pos-5890": {
        "width_mm": f"{_DB} POS-5890: 57.5 mm",
        "dots": f"{_DB} POS-5890: 384 pixels, 32 columns",
        "dots_per_mm": f"{_DB} POS-5890: 203 dpi",
    },
}


def model_of(number: int, mix: Sequence[Profile] = MIXED) -> Profile:
    """The model of a mixed fleet's printer: any ten in a row have the shares of MIXED exactly."""
    return mix[number % len(mix)]


def source(profile: Profile, figure: str) -> str:
    """Where a figure of a model comes from: a data sheet, or "assumed"."""
    if figure not in {field.name for field in fields(Profile)}:
        raise KeyError(figure)
    return SOURCES.get(profile.name, {}).get(figure, "assumed")
