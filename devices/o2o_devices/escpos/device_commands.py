"""Commands of the cutter, the drawer, the buzzer, and of requests that are answered in their place in the stream."""

from __future__ import annotations

from o2o_devices.escpos.events import AutoStatus, Beep, Drawer, ProcessId, TransmitId, TransmitStatus
from o2o_devices.escpos.state import State
from o2o_devices.escpos.symbol_commands import graphics, two_dimensional


def cut(state: State, args: bytes) -> None:
    """GS V: even m full, odd m partial; 65, 66 feed to the cutter and n units first."""
    mode = args[0]
    if mode not in (0, 1, 48, 49, 65, 66, 97, 98, 103, 104):
        state.unknown(b"\x1dV" + args)
        return
    if len(args) == 2:
        profile = state.profile
        state.paper.flush()
        state.paper.feed(round(profile.cut_feed_mm * profile.dots_per_mm + args[1] * state.paper.motion_y))
    state.cut("full" if mode in (0, 48, 65, 97, 103) else "partial")


def cut_points(state: State, args: bytes) -> None:
    """ESC i and ESC m (obsolete): one or three points left."""
    state.cut("partial")


def peripheral(state: State, args: bytes) -> None:
    """ESC = n: bit 0 selects the printer; without it all but real-time commands and ESC = is for another device."""
    state.selected = bool(args[0] & 1)


def pulse(state: State, args: bytes) -> None:
    """ESC p m t1 t2."""
    state.events.append(Drawer(state.paper.fed_mm, 5 if args[0] in (1, 49) else 2))


def beep(state: State, args: bytes) -> None:
    """BEL, and ESC B n t of clones (n times)."""
    state.events.append(Beep(state.paper.fed_mm, args[0] if args else 1))


def transmit_status(state: State, args: bytes) -> None:
    """GS r n."""
    state.events.append(TransmitStatus(state.paper.fed_mm, args[0]))


def transmit_paper(state: State, args: bytes) -> None:
    """ESC v (obsolete): the paper sensor."""
    state.events.append(TransmitStatus(state.paper.fed_mm, 1))


def transmit_drawer(state: State, args: bytes) -> None:
    """ESC u n (obsolete): the drawer."""
    state.events.append(TransmitStatus(state.paper.fed_mm, 2))


def transmit_id(state: State, args: bytes) -> None:
    """GS I n."""
    state.events.append(TransmitId(state.paper.fed_mm, args[0]))


def auto_status(state: State, args: bytes) -> None:
    """GS a n."""
    state.events.append(AutoStatus(state.paper.fed_mm, args[0]))


def gs_group(state: State, args: bytes) -> None:
    """GS ( X pL pH ...: H (process id), k (codes), L (graphics); all other functions are skipped by their length."""
    kind = args[0]
    if kind == 0x48:
        if len(args) == 9 and args[3] == 48:
            state.events.append(ProcessId(state.paper.fed_mm, args[5:9]))
    elif kind == 0x6B:
        two_dimensional(state, args)
    elif kind == 0x4C:
        graphics(state, args[3:])


def esc_group(state: State, args: bytes) -> None:
    """ESC ( X pL pH ...: A (beeper); all others are skipped by their length."""
    if args[0] == 0x41:
        state.events.append(Beep(state.paper.fed_mm, args[5] if len(args) > 5 else 1))
