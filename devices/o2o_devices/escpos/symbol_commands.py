"""Commands of bar codes, QR codes and images. Each takes the state and its argument bytes."""

from __future__ import annotations

from o2o_devices.escpos.state import State
from o2o_devices.escpos.symbols import BARCODES, barcode_text, qr_modules, readable

_HRI_DOTS = 24


def barcode_height(state: State, args: bytes) -> None:
    """GS h n dots."""
    state.barcode_height = max(args[0], 1)


def hri_position(state: State, args: bytes) -> None:
    """GS H n: the digits in plain text above (1), below (2), both (3)."""
    state.hri = args[0] & 3


def barcode(state: State, args: bytes) -> None:
    """GS k m ... (both forms)."""
    kind = args[0]
    if kind not in BARCODES:
        state.unknown(b"\x1dk" + args)
        return
    data = args[2:] if kind >= 65 else args[1:].rstrip(b"\x00")
    height = state.barcode_height + _HRI_DOTS * ((state.hri & 1) + (state.hri >> 1))
    state.paper.symbol("barcode", barcode_text(kind, data), (0, height), BARCODES[kind])


def two_dimensional(state: State, args: bytes) -> None:
    """k pL pH cn fn ... of GS ( k: 48 PDF417, 49 QR code; the other symbologies are skipped."""
    if len(args) < 5:
        return
    symbology, function, rest = args[3], args[4], args[5:]
    if symbology == 49:
        _qr(state, function, rest)
    elif symbology == 48:
        if function == 80:
            state.pdf417 = rest[1:]
        elif function == 81 and state.pdf417:
            state.paper.symbol("barcode", readable(state.pdf417), (0, 0), "PDF417")


def _qr(state: State, function: int, rest: bytes) -> None:
    if function == 67 and rest:
        state.qr_module = min(max(rest[0], 1), 16)
    elif function == 69 and rest:
        state.qr_level = rest[0]
    elif function == 80:
        state.qr_data = rest[1:]
    elif function == 81 and state.qr_data:
        side = qr_modules(len(state.qr_data), state.qr_level) * state.qr_module
        state.paper.symbol("qr", readable(state.qr_data), (side, side), "QR")


def raster(state: State, args: bytes) -> None:
    """GS v 0 m xL xH yL yH: x bytes a row, y rows; m bit 0 twice as wide, bit 1 twice as high."""
    if len(args) < 6:
        state.unknown(b"\x1dv" + args)
        return
    mode = args[1]
    width = 8 * (args[2] + 256 * args[3]) * (2 if mode & 1 else 1)
    height = (args[4] + 256 * args[5]) * (2 if mode & 2 else 1)
    state.paper.symbol("image", "", (width, height), "raster")


def variable_raster(state: State, args: bytes) -> None:
    """GS Q 0 m xL xH yL yH (obsolete)."""
    if len(args) < 6:
        state.unknown(b"\x1dQ" + args)
        return
    raster(state, args)


def graphics(state: State, args: bytes) -> None:
    """What GS ( L or GS 8 L describes: 112 and 113 store an image, 2 and 50 print it, 69 and 85 print NV ones."""
    if len(args) < 2:
        return
    function = args[1]
    if function in (112, 113) and len(args) >= 10:
        width = (args[6] + 256 * args[7]) * max(args[3], 1)
        height = (args[8] + 256 * args[9]) * max(args[4], 1)
        state.stored_image = (width, height)
    elif function in (2, 50):
        if state.stored_image is not None:
            state.paper.symbol("image", "", state.stored_image, "graphics")
            state.stored_image = None
    elif function in (69, 85):
        state.paper.symbol("image", "", (0, 0), "nv")


def long_graphics(state: State, args: bytes) -> None:
    """GS 8 L."""
    if args[0] != 0x4C:
        state.unknown(b"\x1d8" + args)
        return
    graphics(state, args[5:])


def bit_image(state: State, args: bytes) -> None:
    """ESC * m nL nH: n columns of 8 (m = 0, 1) or 24 dots (32, 33); single density prints twice as wide."""
    columns = args[1] + 256 * args[2]
    if args[0] in (0, 1, 32, 33):
        state.paper.bit_image(columns * (1 if args[0] in (1, 33) else 2), 24)
    else:
        state.unknown(b"\x1b*" + args)


def download_image(state: State, args: bytes) -> None:
    """GS * x y."""
    state.download = (8 * args[0], 8 * args[1])


def print_download(state: State, args: bytes) -> None:
    """GS / m."""
    if state.download is not None:
        state.paper.symbol("image", "", state.download, "download")


def nv_images(state: State, args: bytes) -> None:
    """FS q n ...: sizes of the NV images 1..n."""
    if len(args) < 5:
        state.unknown(b"\x1cq" + args)
        return
    sizes: list[tuple[int, int]] = []
    at = 1
    for _ in range(args[0]):
        x, y = args[at] + 256 * args[at + 1], args[at + 2] + 256 * args[at + 3]
        sizes.append((8 * x, 8 * y))
        at += 4 + 8 * x * y
    state.nv_sizes = tuple(sizes)


def print_nv(state: State, args: bytes) -> None:
    """FS p n m: NV image n; an undefined one prints nothing."""
    number = args[0]
    if 1 <= number <= len(state.nv_sizes):
        width, height = state.nv_sizes[number - 1]
        mode = args[1]
        size = (width * (2 if mode & 1 else 1), height * (2 if mode & 2 else 1))
        state.paper.symbol("image", "", size, "nv")
