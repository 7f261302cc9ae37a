"""An interpreter at rest: what has to be remembered of a printer between two tickets, and nothing else.

Decides when an interpreter is at rest (nothing begun, nothing half read, no stored image) and what is left of it then:
the modes, which are the same for most printers and are kept once, the paper fed so far, and the data of its codes. Of
ten thousand printers few print at any moment: the others would hold a kilobyte and a half of empty lists each.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, NamedTuple

from o2o_devices.escpos.state import State
from o2o_devices.mechanism import Profile

_PAPER = (
    "kanji", "codec", "size", "kanji_size", "bold", "underline", "kanji_underline", "invert", "small", "style",
    "kanji_style", "align", "spacing", "char_space", "kanji_space", "margin", "area", "width", "motion_x", "motion_y",
    "tabs", "wide_line",
)  # fmt: skip
_STATE = ("selected", "barcode_height", "hri", "barcode_module", "qr_level", "qr_module")
_paper_modes = attrgetter(*_PAPER)
_state_modes = attrgetter(*_STATE)
_MOST_KINDS = 1024
"""Different modes that are kept once; beyond that everybody keeps their own."""
_known: dict[tuple[Any, ...], tuple[Any, ...]] = {}


class Rest(NamedTuple):
    """What is left of an interpreter."""

    fed_dots: int
    modes: tuple[Any, ...]
    codes: tuple[tuple[int, bytes], ...]
    """Data of GS ( k, by symbology."""

    def fed_mm(self, profile: Profile) -> float:
        """Paper fed by all that was read."""
        return self.fed_dots / profile.dots_per_mm


def rest_of(state: State) -> Rest | None:
    """What is to be remembered; None: not at rest, the state has to stay."""
    paper = state.paper
    if (
        state.astray
        or state.events
        or state.keep_images
        or state.nv
        or state.graphics
        or state.stored_image is not None
        or state.download is not None
        or not paper.at_rest
    ):
        return None
    modes = (*_paper_modes(paper), *_state_modes(state))
    same = _known.get(modes)
    if same is None:
        if len(_known) < _MOST_KINDS:
            _known[modes] = modes
        same = modes
    return Rest(paper.fed_dots, same, tuple(state.codes.items()))


def woken(rest: Rest, profile: Profile, *, kanji: bool) -> State:
    """The state as it was."""
    state = State(profile, kanji=kanji)
    paper = state.paper
    paper.resume(rest.fed_dots)
    for name, value in zip(_PAPER, rest.modes, strict=False):
        setattr(paper, name, value)
    for name, value in zip(_STATE, rest.modes[len(_PAPER) :], strict=True):
        setattr(state, name, value)
    state.codes = dict(rest.codes)
    return state
