"""From bytes to paper: the sans-IO ESC/POS interpreter (A14).

Decides where each command begins and ends, at any split of the stream, and runs it; what commands do is in the table
(`commands`), when the paper is out is the mechanism's. Nothing raises, whatever the bytes: unknown commands become
`Unknown` events, their first two bytes are dropped and reading goes on.

    interpreter = Interpreter(GENERIC_80)
    replies, events = interpreter.feed("宫保鸡丁 x1\\n".encode("gb18030") + b"\\x1dV\\x00", now=0.0)
    events[0].receipt.text  # '宫保鸡丁 x1'
"""

from __future__ import annotations

import re
from collections.abc import Callable

from o2o_devices.escpos import status as status_bytes
from o2o_devices.escpos.charsets import codec
from o2o_devices.escpos.commands import ONE_BYTE, PREFIXED, PREFIXES, Command
from o2o_devices.escpos.events import ClearBuffers, Drawer, Event
from o2o_devices.escpos.realtime import Scanner
from o2o_devices.escpos.rest import Rest, rest_of, woken
from o2o_devices.escpos.shapes import Need
from o2o_devices.escpos.state import State
from o2o_devices.escpos.status import Status
from o2o_devices.mechanism import GENERIC_80, Profile
from o2o_devices.receipt import Receipt

# No byte of a GB18030 character is below 0x30 (checked over all code points), so control bytes end a run of text.
_ONLY_ASKED = re.compile(rb"(?:\x10\x04[\x01-\x04])*").fullmatch
_PIECES = re.compile(rb"[\x20-\xff]+|\n|[\x00-\x09\x0b-\x1f]+").findall
_TEXT = re.compile(rb"[\x20-\xff]+").match
_PERIPHERAL = PREFIXED[0x1B3D]
_MOST_KEPT = 1 << 20
"""Image bytes that an interpreter which keeps images holds at once; larger ones are known by their size only."""


def _always_ready(now: float) -> Status:
    return Status()


class Interpreter:
    """One printer's reading end. `status` tells the sensors' state at a time, for real-time answers.

    kanji: multi-byte mode after power-on and ESC @, as on Chinese models (python-escpos#678); False as on Western ones.
    keep_images: receipts hold the dots of images, to be looked at; otherwise image data are counted and dropped.
    """

    __slots__ = ("_held", "_kanji", "_keep_images", "_made", "_profile", "_scanner", "_skip", "_want", "status")

    def __init__(
        self,
        profile: Profile = GENERIC_80,
        *,
        kanji: bool = True,
        keep_images: bool = False,
        status: Callable[[float], Status] = _always_ready,
        rest: Rest | None = None,
    ) -> None:
        """`rest`: what `rest()` has left of an interpreter that this one goes on for."""
        self.status = status
        self._profile = profile
        self._kanji = kanji
        self._keep_images = keep_images
        # A printer that is only ever asked how it is needs none.
        self._made: State | None = None if rest is None else woken(rest, profile, kanji=kanji)
        self._scanner = Scanner()
        self._held: bytes | bytearray = b""  # the beginning of a command that has not come whole
        self._want = 0
        self._skip = 0

    @property
    def _state(self) -> State:
        if self._made is None:
            self._made = State(self._profile, kanji=self._kanji, keep_images=self._keep_images)
        return self._made

    @property
    def fed_mm(self) -> float:
        """Paper fed by all that was read."""
        return 0.0 if self._made is None else self._made.paper.fed_mm

    def feed(self, data: bytes, now: float = 0.0) -> tuple[bytes, list[Event]]:
        """Read `data`. Replies: to be sent at once (real time). Events: in order, each with its place on the paper."""
        replies, urgent = self.scan(data, now)
        return replies, [*urgent, *self.interpret(data)]

    def scan(self, data: bytes, now: float) -> tuple[bytes, list[Event]]:
        """The real-time half of `feed`: answers and events of the commands that are acted on when they are received."""
        replies = b""
        events: list[Event] = []
        for command in self._scanner.feed(data):
            kind, n = command[1], command[2]
            if kind == 0x04:
                replies += status_bytes.realtime(n, self.status(now))
            elif kind == 0x05 and n == 2:
                events.append(ClearBuffers(recover=True))
            elif command == b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08":
                replies += status_bytes.CLEAR_RESPONSE
                events.append(ClearBuffers(recover=False))
            elif kind == 0x14 and n == 1:
                events.append(Drawer(0.0, 5 if command[3] & 1 else 2))
        return replies, events

    def interpret(self, data: bytes) -> list[Event]:
        """The in-order half of `feed`."""
        if self._made is None and _ONLY_ASKED(data):
            return []
        state = self._state
        if state.astray:
            return self._astray(data)
        if self._skip:
            gone = min(self._skip, len(data))
            self._skip -= gone
            data = data[gone:]
        if self._held:
            self._held += data
            if len(self._held) < self._want:
                return []
            data, self._held = bytes(self._held), b""
        self._want = 0
        paper_text, line_feed = state.paper.text, state.paper.line_feed
        at, end = 0, len(data)
        while at < end:
            code = data[at]
            if code >= 0x20:
                match = _TEXT(data, at)
                assert match is not None
                if state.selected:
                    paper_text(match.group())
                at = match.end()
            elif code == 0x0A:  # as in the table; most bytes below 0x20 are line feeds
                if state.selected:
                    line_feed()
                at += 1
            elif code in PREFIXES:
                if at + 1 >= end:
                    self._hold(data, at, 2)
                    break
                command = PREFIXED.get(code << 8 | data[at + 1])
                if command is None:
                    at = self._unknown(data, at)
                    continue
                start = at + 2
                shape = command.shape
                if isinstance(shape, int):
                    stop = start + shape
                    if stop > end:
                        self._hold(data, at, stop - at)
                        break
                    at = stop
                else:
                    extent = shape(data, start, end)
                    if isinstance(extent, Need):
                        self._hold(data, at, 2 + extent.size)
                        break
                    stop = start + extent.head
                    if stop > end:
                        self._hold(data, at, stop - at)
                        break
                    skip = extent.skip
                    if skip and state.keep_images and skip <= _MOST_KEPT:
                        if stop + skip > end:
                            self._hold(data, at, stop + skip - at)
                            break
                        state.payload = data[stop : stop + skip]
                    else:
                        state.payload = b""
                    at = stop + skip
                    if at > end:
                        self._skip = at - end
                        at = end
                action = command.action
                if action is not None and (state.selected or command is _PERIPHERAL):
                    action(state, data[start:stop])
            else:
                at = self._control(code, at)
        if state.events:
            events, state.events = state.events, []
            return events
        return []

    def _control(self, code: int, at: int) -> int:
        command: Command | None = ONE_BYTE.get(code)
        if command is None:
            self._state.unknown(bytes((code,)))
        elif command.action is not None and self._state.selected:
            command.action(self._state, b"")
        return at + 1

    def _unknown(self, data: bytes, at: int) -> int:
        """Drop a prefix and its opcode; an opcode below 0x20 may begin the next command and stays."""
        size = 2 if data[at + 1] >= 0x20 else 1
        self._state.unknown(data[at : at + size])
        return at + size

    def _hold(self, data: bytes, at: int, want: int) -> None:
        self._held = bytearray(data[at:])
        self._want = want

    def end_job(self) -> list[Event]:
        """The sender is gone: drop half a command, print the line begun, and give out what was not cut."""
        self._drop_partial()
        if self._made is None:
            return []
        self._state.cut(None)
        events, self._state.events = self._state.events, []
        return events

    def rest(self) -> Rest | None:
        """What is to be remembered until more is read; None: something is begun, the interpreter has to stay."""
        if self._made is None or self._held or self._skip or self._scanner.waits:
            return None
        return rest_of(self._made)

    def begun(self) -> Receipt:
        """The lines since the last cut; the receipt they will be part of is still to come."""
        return self._state.paper.begun()

    @property
    def blank(self) -> bool:
        """Nothing begun since the last cut: no line, no character, no half command."""
        return self._state.paper.blank and not self._held and not self._skip

    def forget(self) -> None:
        """Drop the lines and characters since the last cut, which never come out; reading goes on where it is."""
        self._state.paper.drop()

    def clear(self) -> None:
        """Drop what is not printed and half a command (DLE DC4 8); modes stay, page mode ends."""
        self._drop_partial()
        self._state.paper.drop()

    def power_cycle(self) -> None:
        """All modes as at power-on."""
        self._drop_partial()
        self._state.astray = False
        self._state.reset_modes()
        self._state.paper.drop()

    @property
    def in_image(self) -> bool:
        """In the middle of an image's data."""
        return self._skip > 0

    @property
    def astray(self) -> bool:
        """Has lost its place: what is read is garbage."""
        return self._state.astray

    def lose_place(self) -> None:
        """What comes is read as characters of a code table, commands and all, until the power is cycled."""
        self._drop_partial()
        self._state.paper.drop()
        self._state.astray = True
        self._state.paper.kanji = False
        self._state.paper.codec = codec(0)

    def _astray(self, data: bytes) -> list[Event]:
        state = self._state
        for piece in _PIECES(data):
            if piece == b"\n":
                state.paper.line_feed()
            elif piece[0] >= 0x20:
                state.paper.text(piece)
            else:
                state.paper.unknown += len(piece)
        return []

    def _drop_partial(self) -> None:
        self._held = b""
        self._want = self._skip = 0
        self._scanner.reset()
