"""StarPRNT, read as a Star printer reads it and told to the engine inside as ESC/POS (A14).

Decides where each command begins and ends (`starprnt_commands` has the table), what text means (UTF-8 after
ESC GS ) U 0 1, else the code page of ESC GS t, else the printer's own double-byte code, GB18030 on Chinese models) and
what is not StarPRNT: a job that breaks off in mid-command and text that is not in its code are DecodeError 511, as
CloudPRNT reports media that do not decode.

A command that is not in the table is reported (it becomes an unknown command of the engine's, which the receipt
counts). Nobody can tell its arguments from text, so what follows it is dropped up to the next line feed or command: a
line may be missing, no rubbish is printed.

Sources. S: StarPRNT Command Specifications (Rev. 2.13, 2.25, SM-L) and STAR Line Mode Command Specifications (Star
Micronics), pages as manual archives publish them. R: the star-prnt language of receipt-printer-encoder (MIT), for byte
codes and code page numbers that senders really use; a test runs it. J: Star's StarIO samples for Android, for
ESC GS ) U. L: LinusU/cloudprnt-emulator (MIT). M: from memory; the number of arguments was in no source at hand.
A job begins with the modes of ESC @ (assumed: what one job sets is not the next one's). Page mode prints in the order
of the data.
"""

from __future__ import annotations

import re

from o2o_devices.errors import DecodeError
from o2o_devices.media.starprnt_commands import CONTROLS, GROUPS, PLAIN, Command, State

UNDECODABLE = "511"
"""CloudPRNT status code: media decoding error."""

_TEXT = re.compile(rb"[\x20-\xff]+")
_ASTRAY = re.compile(rb"[^\n\x1b]*")
_UNKNOWN = b"\x1b\x7f"  # no command of the engine's either
_ESC = 0x1B


def to_escpos(data: bytes, *, encoding: str = "gb18030") -> bytes:
    """A job of StarPRNT as ESC/POS bytes. encoding: of text while no code page and no UTF-8 is selected.

    Raises DecodeError with code "511" for data that are no StarPRNT: empty, broken off, or text not in its code.
    """
    if not data:
        raise DecodeError(UNDECODABLE, "an empty job")
    state = State(encoding)
    at, end = 0, len(data)
    while at < end:
        code = data[at]
        if code >= 0x20:
            match = _TEXT.match(data, at)
            assert match is not None
            at = match.end()
            _text(state, match.group())
        elif code == _ESC:
            at = _command(state, data, at)
        else:
            control = CONTROLS.get(code)
            if control is None:
                state.out += _UNKNOWN
            else:
                control(state, b"")
            at += 1
    return bytes(state.out)


def _text(state: State, run: bytes) -> None:
    if state.codec is None:
        state.out += run
        return
    try:
        text = run.decode(state.codec)
    except UnicodeDecodeError as error:
        raise DecodeError(UNDECODABLE, f"text that is not {state.codec}: {error.reason}") from None
    state.out += text.encode("gb18030")  # which has a code for everything that these can say


def _command(state: State, data: bytes, at: int) -> int:
    """Read the command at an ESC and do it; where it ends."""
    found = _find(data, at + 1)
    if found is None:
        state.out += _UNKNOWN
        opcode = data[at + 1]  # one below 0x20 may begin the next command and stays
        match = _ASTRAY.match(data, at + (3 if opcode in GROUPS else 2 if opcode >= 0x20 else 1))
        return len(data) if match is None else match.end()
    command, start = found
    stop = start + command.size if isinstance(command.size, int) else command.size(data, start)
    if stop is None or stop > len(data):
        raise DecodeError(UNDECODABLE, f"{command.name} breaks off")
    if command.action is not None:
        command.action(state, data[start:stop])
    return stop


def _find(data: bytes, at: int) -> tuple[Command, int] | None:
    """The command whose opcode stands at `at`, and where its arguments begin."""
    if at >= len(data):
        raise DecodeError(UNDECODABLE, "an escape character at the end")
    group = GROUPS.get(data[at])
    if group is None:
        command = PLAIN.get(data[at])
        return None if command is None else (command, at + 1)
    if at + 1 >= len(data):
        raise DecodeError(UNDECODABLE, "a command that breaks off")
    command = group.get(data[at + 1])
    return None if command is None else (command, at + 2)
