"""What the commands act on: the paper, the codes being built, the images that are stored, and the events to report.

Decides nothing by itself; the commands do (`text_commands`, `symbol_commands`, `device_commands`).
"""

from __future__ import annotations

from typing import Literal

from o2o_devices.dots import Picture
from o2o_devices.escpos.events import Cut, Event, Unknown
from o2o_devices.escpos.paper import Paper
from o2o_devices.mechanism import Profile


class State:
    """A printer's modes between two bytes."""

    __slots__ = (
        "astray",
        "barcode_height",
        "barcode_module",
        "codes",
        "download",
        "events",
        "graphics",
        "hri",
        "keep_images",
        "nv",
        "paper",
        "payload",
        "profile",
        "qr_level",
        "qr_module",
        "selected",
        "stored_image",
    )

    def __init__(self, profile: Profile, *, kanji: bool, keep_images: bool = False) -> None:
        self.profile = profile
        self.keep_images = keep_images
        self.paper = Paper(profile, kanji=kanji)
        self.events: list[Event] = []
        self.astray = False
        """Has lost its place in the stream (a cheap printer whose paper ended in mid-image)."""
        self.payload = b""
        """The bytes of an image behind the command's head, for interpreters that keep them."""
        self.nv: tuple[Picture, ...] = ()
        """Of FS q, from 1."""
        self.graphics: dict[bytes, Picture] = {}
        """Of GS ( L, by function (67 NV, 83 download) and key."""
        self.reset_modes()

    def reset_modes(self) -> None:
        """ESC @. NV images stay, as in a real printer's memory."""
        self.paper.reset()
        self.selected = True
        self.barcode_height = 162
        self.hri = 0
        self.barcode_module = 3
        self.codes: dict[int, bytes] = {}
        """Data of GS ( k stored and not yet printed, by symbology (49: QR)."""
        self.qr_level = 48
        self.qr_module = 3
        self.stored_image: Picture | None = None
        self.download: Picture | None = None

    def unknown(self, data: bytes) -> None:
        self.paper.unknown += 1
        self.events.append(Unknown(self.paper.fed_mm, data))

    def cut(self, how: Literal["full", "partial"] | None) -> None:
        """End the piece of paper; a cut of paper that has not moved since the last one makes no receipt."""
        receipt = self.paper.take(how)
        if receipt.lines or receipt.length_mm > 0.0:
            self.events.append(Cut(self.paper.fed_mm, receipt))
