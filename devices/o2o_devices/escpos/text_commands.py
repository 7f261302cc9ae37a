"""Commands of characters, positions, lines and pages. Each takes the state and its argument bytes."""

from __future__ import annotations

from o2o_devices.escpos.charsets import INTERNATIONAL, codec
from o2o_devices.escpos.state import State


def _word(args: bytes) -> int:
    return args[0] + 256 * args[1]


def _signed(args: bytes) -> int:
    value = args[0] + 256 * args[1]
    return value - 65536 if value >= 32768 else value


def initialize(state: State, args: bytes) -> None:
    """ESC @: clears the print buffer and the modes."""
    state.reset_modes()


def line_feed(state: State, args: bytes) -> None:
    """LF."""
    state.paper.line_feed()


def tab(state: State, args: bytes) -> None:
    """HT."""
    state.paper.tab()


def form_feed(state: State, args: bytes) -> None:
    """FF: print the page and return to standard mode; outside page mode, print what is there."""
    if state.paper.page is None:
        state.paper.flush()
    else:
        state.paper.print_page(leave=True)


def print_page(state: State, args: bytes) -> None:
    """ESC FF: print the page and keep it."""
    state.paper.print_page(leave=False)


def cancel(state: State, args: bytes) -> None:
    """CAN: drop the page's data (page mode only)."""
    state.paper.cancel_page(leave=False)


def print_mode(state: State, args: bytes) -> None:
    """ESC ! n: bit 0 font B, 3 bold, 4 double height, 5 double width, 7 underline; sizes of one-byte characters."""
    paper, n = state.paper, args[0]
    paper.small = bool(n & 0x01)
    paper.bold = bool(n & 0x08)
    paper.size = (2 if n & 0x20 else 1, 2 if n & 0x10 else 1)
    paper.underline = bool(n & 0x80)
    paper.restyle()


def kanji_mode(state: State, args: bytes) -> None:
    """FS ! n: bit 2 double width, 3 double height, 7 underline; sizes of multi-byte characters."""
    paper, n = state.paper, args[0]
    paper.kanji_size = (2 if n & 0x04 else 1, 2 if n & 0x08 else 1)
    paper.kanji_underline = bool(n & 0x80)
    paper.restyle()


def quadruple(state: State, args: bytes) -> None:
    """FS W n: multi-byte characters twice as wide and high."""
    state.paper.kanji_size = (2, 2) if args[0] & 1 else (1, 1)
    state.paper.restyle()


def character_size(state: State, args: bytes) -> None:
    """GS ! n: width (high half) and height (low half) of all characters, 1..8 each."""
    paper, n = state.paper, args[0]
    paper.size = paper.kanji_size = ((n >> 4 & 7) + 1, (n & 7) + 1)
    paper.restyle()


def bold(state: State, args: bytes) -> None:
    """ESC E n, and ESC G n (double strike looks the same)."""
    state.paper.bold = bool(args[0] & 1)
    state.paper.restyle()


def underline(state: State, args: bytes) -> None:
    """ESC - n: 0, 1, 2 or "0", "1", "2"."""
    state.paper.underline = args[0] & 3 != 0
    state.paper.restyle()


def kanji_underline(state: State, args: bytes) -> None:
    """FS - n."""
    state.paper.kanji_underline = args[0] & 3 != 0
    state.paper.restyle()


def invert(state: State, args: bytes) -> None:
    """GS B n: white on black."""
    state.paper.invert = bool(args[0] & 1)
    state.paper.restyle()


def font(state: State, args: bytes) -> None:
    """ESC M n: 1 or "1" is font B; others as A."""
    state.paper.small = args[0] in (1, 49)
    state.paper.restyle()


def align(state: State, args: bytes) -> None:
    """ESC a n."""
    state.paper.justify(args[0])


def kanji_on(state: State, args: bytes) -> None:
    """FS &."""
    state.paper.settle()
    state.paper.kanji = True


def kanji_off(state: State, args: bytes) -> None:
    """FS ."""
    state.paper.settle()
    state.paper.kanji = False


def code_table(state: State, args: bytes) -> None:
    """ESC t n."""
    state.paper.settle()
    state.paper.codec = codec(args[0])


def international(state: State, args: bytes) -> None:
    """ESC R n; beyond the table: ignored."""
    if args[0] < len(INTERNATIONAL):
        state.paper.settle()
        state.paper.translate = INTERNATIONAL[args[0]]


def right_space(state: State, args: bytes) -> None:
    """ESC SP n: after each one-byte character."""
    state.paper.settle()
    state.paper.char_space = round(args[0] * state.paper.motion_x)


def kanji_space(state: State, args: bytes) -> None:
    """FS S n1 n2: before and after each multi-byte character."""
    state.paper.settle()
    state.paper.kanji_space = round((args[0] + args[1]) * state.paper.motion_x)


def default_spacing(state: State, args: bytes) -> None:
    """ESC 2."""
    state.paper.spacing = state.profile.line_dots


def line_spacing(state: State, args: bytes) -> None:
    """ESC 3 n vertical units."""
    state.paper.spacing = round(args[0] * state.paper.motion_y)


def spacing_360(state: State, args: bytes) -> None:
    """ESC + n: n/360 inch."""
    state.paper.spacing = round(args[0] * 25.4 * state.profile.dots_per_mm / 360)


def spacing_60(state: State, args: bytes) -> None:
    """ESC A n: n/60 inch."""
    state.paper.spacing = round(args[0] * 25.4 * state.profile.dots_per_mm / 60)


def wide_on(state: State, args: bytes) -> None:
    """ESC SO: twice as wide until the line is printed."""
    paper = state.paper
    paper.wide_line = True
    paper.size, paper.kanji_size = (2, paper.size[1]), (2, paper.kanji_size[1])
    paper.restyle()


def wide_off(state: State, args: bytes) -> None:
    """ESC DC4."""
    paper = state.paper
    paper.wide_line = False
    paper.size, paper.kanji_size = (1, paper.size[1]), (1, paper.kanji_size[1])
    paper.restyle()


def motion_units(state: State, args: bytes) -> None:
    """GS P x y: units of 1/x and 1/y inch; 0: the default, one dot."""
    dots_per_inch = 25.4 * state.profile.dots_per_mm
    state.paper.motion_x = dots_per_inch / args[0] if args[0] else 1.0
    state.paper.motion_y = dots_per_inch / args[1] if args[1] else 1.0


def left_margin(state: State, args: bytes) -> None:
    """GS L nL nH."""
    paper = state.paper
    paper.margin = min(round(_word(args) * paper.motion_x), state.profile.dots)
    paper.bound()


def area_width(state: State, args: bytes) -> None:
    """GS W nL nH: width of the print area."""
    state.paper.area = round(_word(args) * state.paper.motion_x)
    state.paper.bound()


def position(state: State, args: bytes) -> None:
    """ESC $ nL nH from the left margin."""
    state.paper.move_to(round(_word(args) * state.paper.motion_x))


def move(state: State, args: bytes) -> None:
    """ESC \\ nL nH, signed."""
    state.paper.move_by(round(_signed(args) * state.paper.motion_x))


def tab_stops(state: State, args: bytes) -> None:
    """ESC D n1 ... nk NUL: columns of the current font; none: no stops."""
    state.paper.tabs = tuple(n for n in args if n)


def feed_units(state: State, args: bytes) -> None:
    """ESC J n vertical units."""
    state.paper.feed(round(args[0] * state.paper.motion_y))


def feed_lines(state: State, args: bytes) -> None:
    """ESC d n."""
    state.paper.feed_lines(args[0])


def page_mode(state: State, args: bytes) -> None:
    """ESC L."""
    state.paper.enter_page()


def standard_mode(state: State, args: bytes) -> None:
    """ESC S: the page's data are dropped."""
    state.paper.cancel_page(leave=True)


def page_area(state: State, args: bytes) -> None:
    """ESC W x y dx dy, two bytes each."""
    across, down = state.paper.motion_x, state.paper.motion_y
    x, y, dx, dy = (_word(args[at : at + 2]) for at in (0, 2, 4, 6))
    state.paper.page_area(round(x * across), round(y * down), round(dx * across), round(dy * down))


def page_direction(state: State, args: bytes) -> None:
    """ESC T n: 0 from the upper left, 1 upwards from the lower left, 2 upside down, 3 down from the upper right."""
    n = args[0] - 48 if args[0] >= 48 else args[0]
    if n <= 3:
        state.paper.turn_page(n)


def page_position(state: State, args: bytes) -> None:
    """GS $ nL nH."""
    state.paper.page_to(round(_word(args) * state.paper.motion_y))


def page_move(state: State, args: bytes) -> None:
    """GS \\ nL nH, signed."""
    state.paper.page_by(round(_signed(args) * state.paper.motion_y))
