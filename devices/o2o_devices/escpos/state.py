"""What the commands act on: the paper, the codes being built, the images that are stored, and the events to report.

Decides nothing by itself; the commands do (`text_commands`, `symbol_commands`, `device_commands`).
"""

from __future__ import annotations

from typing import Literal

from o2o_devices.escpos.events import Cut, Event, Unknown
from o2o_devices.escpos.paper import Paper
from o2o_devices.mechanism import Profile


class State:
    """A printer's modes between two bytes."""

    __slots__ = (
        "barcode_height",
        "download",
        "events",
        "hri",
        "nv_sizes",
        "paper",
        "pdf417",
        "profile",
        "qr_data",
        "qr_level",
        "qr_module",
        "selected",
        "stored_image",
    )

    def __init__(self, profile: Profile, *, kanji: bool) -> None:
        self.profile = profile
        self.paper = Paper(profile, kanji=kanji)
        self.events: list[Event] = []
        self.nv_sizes: tuple[tuple[int, int], ...] = ()
        self.reset_modes()

    def reset_modes(self) -> None:
        """ESC @. NV images stay, as in a real printer's memory."""
        self.paper.reset()
        self.selected = True
        self.barcode_height = 162
        self.hri = 0
        self.qr_data = b""
        self.qr_level = 48
        self.qr_module = 3
        self.pdf417 = b""
        self.stored_image: tuple[int, int] | None = None
        self.download: tuple[int, int] | None = None

    def unknown(self, data: bytes) -> None:
        self.paper.unknown += 1
        self.events.append(Unknown(self.paper.fed_mm, data))

    def cut(self, how: Literal["full", "partial"] | None) -> None:
        """End the piece of paper; a cut of paper that has not moved since the last one makes no receipt."""
        receipt = self.paper.take(how)
        if receipt.lines or receipt.length_mm > 0.0:
            self.events.append(Cut(self.paper.fed_mm, receipt))
