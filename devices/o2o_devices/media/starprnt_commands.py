"""The commands of StarPRNT: opcode, arguments, and what they are in ESC/POS. Sources: see `starprnt`.

Data with small functions beside it. A command without an action is understood, its arguments never become text, and it
changes nothing that a reader of the paper sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from o2o_devices.media import starprnt_shapes as shapes

DOTS_PER_MM = 8
"""Star's thermal heads have 203 dpi; its specification speaks of 8 dots/mm."""

_CODE_PAGES = {
    1: 0, 2: 1, 3: 0, 4: 19, 5: 18, 6: 3, 7: 35, 8: 4, 9: 5, 10: 17, 11: 34, 12: 13, 13: 36, 14: 37, 15: 14, 17: 38,
    32: 16, 33: 45, 34: 46,
}  # fmt: skip
"""Numbers of ESC GS t (R) as numbers of the engine's ESC t: 437, katakana, 858, 852, 860 ..."""
UTF_8 = 128
"""ESC GS t 128: the code page that is UTF-8 (J)."""


class State:
    """What a job has set so far, and what has become of it."""

    __slots__ = ("codec", "height", "out", "own", "utf8", "width")

    def __init__(self, own: str) -> None:
        self.own = own
        self.out = bytearray()
        self.reset()

    def reset(self) -> None:
        """ESC @."""
        self.codec: str | None = self.own
        """None: one byte a character, in the engine's code table."""
        self.utf8 = False
        self.width = self.height = 1
        self.out += b"\x1b@\x1c&"

    def speak(self, codec: str | None) -> None:
        """What the text that comes is in."""
        if (codec is None) != (self.codec is None):
            self.out += b"\x1c&" if codec is not None else b"\x1c."
        self.codec = codec

    def resize(self) -> None:
        self.out += b"\x1d!" + bytes([(self.width - 1) << 4 | (self.height - 1)])


Action = Callable[[State, bytes], None]


class Command(NamedTuple):
    name: str
    what: str
    size: shapes.Size
    action: Action | None
    source: str


def _put(escpos: bytes) -> Action:
    def action(state: State, args: bytes) -> None:
        state.out += escpos

    return action


# --- actions --------------------------------------------------------------------------------------------------------


def _reset(state: State, args: bytes) -> None:
    state.reset()


def _expand(state: State, args: bytes) -> None:
    """ESC i n1 n2: height, then width, 0..5 beyond the normal (R; S)."""
    height, width = shapes.digit(args[0]), shapes.digit(args[1])
    if height <= 7 and width <= 7:
        state.height, state.width = height + 1, width + 1
        state.resize()


def _wide(state: State, args: bytes) -> None:
    state.width = min(shapes.digit(args[0]), 7) + 1
    state.resize()


def _high(state: State, args: bytes) -> None:
    state.height = min(shapes.digit(args[0]), 7) + 1
    state.resize()


def _sized(*, width: int = 0, height: int = 0) -> Action:
    """Times the normal; 0: as it is."""

    def action(state: State, args: bytes) -> None:
        state.width, state.height = width or state.width, height or state.height
        state.resize()

    return action


def _underline(state: State, args: bytes) -> None:
    """Of one-byte and of wide characters."""
    state.out += b"\x1b-%c\x1c-%c" % (shapes.digit(args[0]) & 1, shapes.digit(args[0]) & 1)


def _align(state: State, args: bytes) -> None:
    if shapes.digit(args[0]) <= 2:
        state.out += b"\x1ba" + bytes([shapes.digit(args[0])])


def _cut(state: State, args: bytes) -> None:
    """0 full, 1 partial; 2 and 3 the same after a feed to the cutter."""
    kind = shapes.digit(args[0])
    if kind <= 1:
        state.out += b"\x1dV" + bytes([kind])
    elif kind <= 3:
        state.out += b"\x1dV" + bytes([65 if kind == 2 else 66, 0])


def _feed_lines(state: State, args: bytes) -> None:
    state.out += b"\x1bd" + args


def _feed(part_mm: int) -> Action:
    """n/4 mm or n/8 mm."""

    def action(state: State, args: bytes) -> None:
        dots = args[0] * DOTS_PER_MM // part_mm
        state.out += b"\x1bJ" + bytes([min(dots, 255)])
        if dots > 255:
            state.out += b"\x1bJ" + bytes([dots - 255])

    return action


def _spacing(state: State, args: bytes) -> None:
    """ESC z n: 4 mm; 0 on models that have it: 3 mm."""
    state.out += b"\x1b3" + bytes([(4 if shapes.digit(args[0]) else 3) * DOTS_PER_MM])


def _code_page(state: State, args: bytes) -> None:
    """ESC GS t n: 0 the printer's own code. A page that the engine has no table for is read as 437."""
    if state.utf8:
        return
    if args[0] in (0, UTF_8):
        state.speak("utf-8" if args[0] else state.own)
    else:
        state.speak(None)
        state.out += b"\x1bt" + bytes([_CODE_PAGES.get(args[0], 0)])


def _unicode(state: State, args: bytes) -> None:
    """ESC GS ) U pL pH fn m: fn 48 selects UTF-8 (1) or the code page (0); 64 and 65 choose fonts."""
    if args[:1] == b"U" and args[3:4] == b"0" and len(args) >= 5:
        state.utf8 = shapes.digit(args[4]) == 1
        state.speak("utf-8" if state.utf8 else state.own)


def _qr(state: State, args: bytes) -> None:
    function = args[:1]
    if function == b"S":
        what, value = shapes.digit(args[1]), args[2]
        if what == 0:
            state.out += b"\x1d(k\x04\x001A" + bytes([48 + min(max(shapes.digit(value), 1), 2), 0])
        elif what == 1:
            state.out += b"\x1d(k\x03\x001E" + bytes([48 + min(shapes.digit(value), 3)])
        elif what == 2:
            state.out += b"\x1d(k\x03\x001C" + bytes([min(max(shapes.digit(value), 1), 8)])
    elif function == b"D":
        state.out += _store(49, args[5:])
    elif function == b"P":
        state.out += b"\x1d(k\x03\x001Q0"


def _pdf417(state: State, args: bytes) -> None:
    function = args[:1]
    if function == b"D":
        state.out += _store(48, args[3:])
    elif function == b"P":
        state.out += b"\x1d(k\x03\x000Q0"


def _store(symbology: int, data: bytes) -> bytes:
    size = len(data) + 3
    return b"\x1d(k" + bytes([size & 0xFF, size >> 8, symbology]) + b"P0" + data if size < 65_536 else b""


_BARCODES = {0: 66, 1: 65, 2: 68, 3: 67, 4: 69, 5: 70, 6: 73, 7: 72, 8: 71, 9: 74}
"""Star's kinds as GS k has them; 10..13 (GS1 DataBar) follow from 75 on."""


def _barcode(state: State, args: bytes) -> None:
    """n1 kind, n2 digits and line feed, n3 width, n4 height in dots, data, RS. The engine feeds a line anyway."""
    kind, under, mode, height = shapes.digit(args[0]), shapes.digit(args[1]), shapes.digit(args[2]), args[3]
    data = args[4:-1]
    escpos = _BARCODES.get(kind, 65 + kind if kind in (10, 11, 12, 13) else None)
    if escpos is None or not 1 <= under <= 4 or not height or not data or len(data) > 255:
        return  # out of the defined area: all of it is discarded up to RS (S)
    state.out += b"\x1dH" + bytes([2 if under in (2, 4) else 0]) + b"\x1dh" + bytes([height])
    state.out += b"\x1dw" + bytes([min(max(mode, 1), 3) + 1])
    if escpos == 73:
        data = b"{B" + data
    state.out += b"\x1dk" + bytes([escpos, len(data)]) + data


def _image(state: State, args: bytes) -> None:
    state.out += b"\x1dv0\x00" + args[1:5] + args[6:]


def _image_strip(state: State, args: bytes) -> None:
    state.out += b"\x1dv0\x00" + bytes([args[0], 0, 24, 0]) + args[2:]


def _bits(mode: int) -> Action:
    def action(state: State, args: bytes) -> None:
        state.out += b"\x1b*" + bytes([mode]) + args

    return action


def _position(escpos: bytes) -> Action:
    def action(state: State, args: bytes) -> None:
        state.out += escpos + args

    return action


def _logo(state: State, args: bytes) -> None:
    state.out += b"\x1cp" + args


def _font(state: State, args: bytes) -> None:
    state.out += b"\x1bM" + bytes([1 if shapes.digit(args[0]) else 0])


_NOTHING = _put(b"")
_DRAWER_1, _DRAWER_2 = _put(b"\x1bp\x00\x14\x14"), _put(b"\x1bp\x01\x14\x14")
CONTROLS: dict[int, Action] = {
    0x00: _NOTHING, 0x04: _NOTHING, 0x05: _NOTHING, 0x17: _NOTHING, 0x18: _NOTHING,  # NUL, EOT, ENQ, ETB, CAN
    0x07: _DRAWER_1, 0x1C: _DRAWER_1, 0x1A: _DRAWER_2, 0x19: _DRAWER_2,  # BEL, FS; SUB, EM
    0x09: _put(b"\x09"), 0x0A: _put(b"\n"), 0x0B: _put(b"\n"), 0x0C: _put(b"\n"),  # HT; LF, VT and FF
    0x0D: _NOTHING,  # CR, as the memory switch is set at the factory: senders write LF CR (R)
    0x0E: _sized(width=2), 0x14: _sized(width=1),  # SO, DC4
    0x0F: _put(b"\x1b{\x01"), 0x12: _put(b"\x1b{\x00"),  # SI, DC2: upside down
}  # fmt: skip
"""Single bytes below 0x20."""

_PLAIN: dict[bytes, Command] = {
    b"@": Command("ESC @", "modes as at power-on", 0, _reset, "S"),
    b"\x07": Command("ESC BEL", "drawer pulse widths", 2, None, "R"),
    b"\x0e": Command("ESC SO", "double height", 0, _sized(height=2), "S"),
    b"\x14": Command("ESC DC4", "double height off", 0, _sized(height=1), "S"),
    b"\x06": Command("ESC ACK", "status requests", 1, None, "M"),
    b" ": Command("ESC SP n", "space after characters", 1, _position(b"\x1b "), "S"),
    b"$": Command("ESC $ n", "Shift JIS mode", 1, None, "S"),
    b"%": Command("ESC % n", "own characters on or off", 1, None, "M"),
    b"&": Command("ESC &", "define or remove an own character", shapes.glyph, None, "M"),
    b"-": Command("ESC - n", "underline", 1, _underline, "S"),
    b"/": Command("ESC / n", "slashed zero", 1, None, "S"),
    b"0": Command("ESC 0", "line spacing 3 mm", 0, _put(b"\x1b3" + bytes([3 * DOTS_PER_MM])), "S"),
    b"4": Command("ESC 4", "white on black", 0, _put(b"\x1dB\x01"), "S"),
    b"5": Command("ESC 5", "white on black off", 0, _put(b"\x1dB\x00"), "S"),
    b":": Command("ESC :", "16 dot pitch", 0, None, "S"),
    b"?": Command("ESC ? LF NUL", "reset", 2, _reset, "M"),
    b"B": Command("ESC B", "vertical tab stops", shapes.up_to(b"\x00"), None, "M"),
    b"C": Command("ESC C n", "page length", 1, None, "S"),
    b"D": Command("ESC D n... NUL", "tab stops", shapes.up_to(b"\x00"), _position(b"\x1bD"), "S"),
    b"E": Command("ESC E", "emphasised", 0, _put(b"\x1bE\x01"), "S"),
    b"F": Command("ESC F", "emphasised off", 0, _put(b"\x1bE\x00"), "S"),
    b"I": Command("ESC I n", "feed n/8 mm", 1, _feed(8), "S"),
    b"J": Command("ESC J n", "feed n/4 mm", 1, _feed(4), "S"),
    b"K": Command("ESC K", "bit image, 8 dots", shapes.columns(1), _bits(0), "S"),
    b"L": Command("ESC L", "bit image, 8 dots, double density", shapes.columns(1), _bits(1), "S"),
    b"M": Command("ESC M", "12 dot pitch", 0, None, "S"),
    b"P": Command("ESC P", "15 dot pitch", 0, None, "S"),
    b"Q": Command("ESC Q n", "right margin", 1, None, "S"),
    b"R": Command("ESC R n", "international characters", 1, None, "S"),
    b"W": Command("ESC W n", "width of characters", 1, _wide, "S"),
    b"X": Command("ESC X", "bit image, 24 dots", shapes.columns(3), _bits(33), "S, R"),
    b"_": Command("ESC _ n", "line above characters", 1, None, "S"),
    b"a": Command("ESC a n", "feed n lines", 1, _feed_lines, "S"),
    b"b": Command("ESC b ... RS", "bar code", shapes.up_to(b"\x1e", 4), _barcode, "S, R"),
    b"d": Command("ESC d n", "cut, at once or after a feed", 1, _cut, "S, R"),
    b"g": Command("ESC g", "14 dot pitch", 0, None, "S"),
    b"h": Command("ESC h n", "height of characters", 1, _high, "S"),
    b"i": Command("ESC i n1 n2", "height and width of characters", 2, _expand, "S, R"),
    b"k": Command("ESC k n 0 ...", "image, 24 rows", shapes.strip, _image_strip, "M"),
    b"l": Command("ESC l n", "left margin", 1, None, "S"),
    b"p": Command("ESC p", "JIS mode", 0, None, "S"),
    b"q": Command("ESC q", "JIS mode off", 0, None, "S"),
    b"r": Command("ESC r c1 c2 d1..d72", "define a Chinese character", 74, None, "M"),
    b"s": Command("ESC s n1 n2", "space around two-byte characters", 2, None, "S"),
    b"t": Command("ESC t n1 n2", "space around one-byte Chinese characters", 2, None, "S"),
    b"z": Command("ESC z n", "line spacing 3 or 4 mm", 1, _spacing, "S, R"),
}
_GS: dict[bytes, Command] = {
    b"\x07": Command("ESC GS BEL m n1 n2", "buzzer", 3, None, "M"),
    b"\x19": Command("ESC GS EM fn m n1 n2", "buzzer", 4, None, "M"),
    b"#": Command("ESC GS # m N n1..n4 LF NUL", "memory switch", 8, None, "M"),
    b"(": Command("ESC GS ( X pL pH ...", "logos and others, skipped by length", shapes.group_counted, None, "M"),
    b")": Command("ESC GS ) X pL pH ...", "U: UTF-8; others skipped by length", shapes.group_counted, _unicode, "S, J"),
    b"A": Command("ESC GS A n1 n2", "horizontal position", 2, _position(b"\x1b$"), "S"),
    b"P": Command("ESC GS P fn ...", "page mode", shapes.page, None, "R, M"),
    b"R": Command("ESC GS R n1 n2", "relative horizontal position", 2, _position(b"\x1b\\"), "S"),
    b"S": Command("ESC GS S m xL xH yL yH n ...", "raster image", shapes.raster, _image, "L"),
    b"a": Command("ESC GS a n", "alignment", 1, _align, "S, R"),
    b"t": Command("ESC GS t n", "code page", 1, _code_page, "S, R, J"),
    b"x": Command("ESC GS x ...", "PDF417: S settings, D data, P print", shapes.two_dimensional(0), _pdf417, "S, R"),
    b"y": Command("ESC GS y ...", "QR code: S settings, D data, P print", shapes.two_dimensional(2), _qr, "S, R"),
}
_RS_WHAT = {
    0x41: "print area", 0x43: "colour", 0x45: "status settings", 0x46: "font", 0x61: "automatic status",
    0x64: "density", 0x69: "turned characters", 0x6D: "mark sensor", 0x72: "speed",
}  # fmt: skip
_RS: dict[bytes, Command] = {
    bytes([code]): Command(
        f"ESC RS {chr(code)} n", what, 1, _font if code == 0x46 else None, "S, R" if code == 0x46 else "M"
    )
    for code, what in _RS_WHAT.items()
}
_FS: dict[bytes, Command] = {
    b"p": Command("ESC FS p n m", "print logo n", 2, _logo, "S"),
    b"q": Command("ESC FS q ...", "define logos", shapes.logos, None, "M"),
}


def _group(commands: dict[bytes, Command]) -> dict[int, Command]:
    return {opcode[0]: command for opcode, command in commands.items()}


PLAIN = _group(_PLAIN)
GROUPS = {0x1D: _group(_GS), 0x1E: _group(_RS), 0x1C: _group(_FS)}
"""Commands with a byte between ESC and the opcode, by that byte."""


def table() -> str:
    """The commands as the Markdown table of docs/starprnt.md."""
    rows = ["| command | what it does here | source |", "|---|---|---|"]
    groups = (PLAIN, *GROUPS.values())
    for command in (command for group in groups for command in group.values()):
        what = command.what if command.action is not None else f"{command.what} (read, no effect)"
        rows.append(f"| {command.name} | {what} | {command.source} |")
    return "\n".join(rows)
