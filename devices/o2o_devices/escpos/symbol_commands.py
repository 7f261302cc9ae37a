"""Commands of bar codes, QR codes and images. Each takes the state and its argument bytes.

`state.payload` has the image data behind a command's head, or is empty: most interpreters count them only.
"""

from __future__ import annotations

from o2o_devices.dots import Picture, from_columns, from_rows, stretched
from o2o_devices.escpos import qr
from o2o_devices.escpos.state import State
from o2o_devices.escpos.symbols import BARCODES, CODES_2D, barcode_modules, barcode_text, qr_modules, readable

_HRI_DOTS = 24


def barcode_height(state: State, args: bytes) -> None:
    """GS h n dots."""
    state.barcode_height = max(args[0], 1)


def barcode_width(state: State, args: bytes) -> None:
    """GS w n: dots of the narrowest bar, 1..6 (2..6 on Epson's own)."""
    if 1 <= args[0] <= 6:
        state.barcode_module = args[0]


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
    text = barcode_text(kind, data)
    width = barcode_modules(BARCODES[kind], len(text)) * state.barcode_module
    state.paper.symbol("barcode", text, (width, height), BARCODES[kind])


def two_dimensional(state: State, args: bytes) -> None:
    """k pL pH cn fn ... of GS ( k: cn 48 PDF417, 49 QR code, 50 MaxiCode, 51 DataBar, 52 composite, 53 Aztec, 54 ..."""
    if len(args) < 5:
        return
    symbology, function, rest = args[3], args[4], args[5:]
    if symbology not in CODES_2D:
        return
    if function == 80:
        state.codes[symbology] = rest[1:]
    elif symbology == 49 and function == 67 and rest:
        state.qr_module = min(max(rest[0], 1), 16)
    elif symbology == 49 and function == 69 and rest:
        state.qr_level = rest[0]
    elif function == 81 and (data := state.codes.get(symbology)):
        if symbology == 49:
            side = qr_modules(len(data), state.qr_level) * state.qr_module
            drawn = qr.picture(data, state.qr_level, state.qr_module) if state.keep_images else None
            state.paper.symbol("qr", readable(data), (side, side), "QR", drawn)
        else:
            state.paper.symbol("barcode", readable(data), (0, 0), CODES_2D[symbology])


def _print(state: State, picture: Picture, mode: int, name: str) -> None:
    """An image on lines of its own; mode bit 0 twice as wide, bit 1 twice as high."""
    state.paper.image(stretched(picture, 2 if mode & 1 else 1, 2 if mode & 2 else 1), name)


def raster(state: State, args: bytes) -> None:
    """GS v 0 m xL xH yL yH: x bytes a row, y rows."""
    if len(args) < 6:
        state.unknown(b"\x1dv" + args)
        return
    width, height = 8 * (args[2] + 256 * args[3]), args[4] + 256 * args[5]
    _print(state, from_rows(width, height, state.payload), args[1], "raster")


def variable_raster(state: State, args: bytes) -> None:
    """GS Q 0 m xL xH yL yH (obsolete)."""
    if len(args) < 6:
        state.unknown(b"\x1dQ" + args)
        return
    raster(state, args)


def graphics(state: State, args: bytes) -> None:
    """What GS ( L or GS 8 L describes: 112 and 113 store an image to be printed by 2 or 50; 67 and 83 (68 and 84 as
    columns) keep one by its key in NV or download memory, 65 and 81 drop all, 66 and 82 one, 69 and 85 print one."""
    if len(args) < 2:
        return
    function, key = args[1], b"%c" % (args[1] & 16) + args[2:4]
    if function in (112, 113) and len(args) >= 10:
        width, height = args[6] + 256 * args[7], args[8] + 256 * args[9]
        made = (from_rows if function == 112 else from_columns)(width, height, state.payload)
        state.stored_image = stretched(made, max(args[3] & 3, 1), max(args[4] & 3, 1))
    elif function in (2, 50):
        if state.stored_image is not None:
            state.paper.image(state.stored_image, "graphics")
            state.stored_image = None
    elif function in (67, 68, 83, 84) and len(args) >= 10:
        width, height = args[6] + 256 * args[7], args[8] + 256 * args[9]
        shape = from_rows if function in (67, 83) else from_columns
        if len(state.graphics) < _MOST_GRAPHICS:
            state.graphics[b"%c" % (function & 16) + args[3:5]] = shape(width, height, state.payload[1:])
    elif function in (65, 81):
        state.graphics = {name: kept for name, kept in state.graphics.items() if name[0] != function & 16}
    elif function in (66, 82) and len(args) >= 4:
        state.graphics.pop(key, None)
    elif function in (69, 85) and len(args) >= 6 and (kept := state.graphics.get(key)) is not None:
        state.paper.image(
            stretched(kept, max(args[4] & 3, 1), max(args[5] & 3, 1)), "nv" if function == 69 else "download"
        )


_MOST_GRAPHICS = 64


def long_graphics(state: State, args: bytes) -> None:
    """GS 8 L."""
    if args[0] != 0x4C:
        state.unknown(b"\x1d8" + args)
        return
    graphics(state, args[5:])


def bit_image(state: State, args: bytes) -> None:
    """ESC * m nL nH: n columns of 8 (m = 0, 1) or 24 dots (32, 33); single density prints twice as wide."""
    if args[0] not in (0, 1, 32, 33):
        state.unknown(b"\x1b*" + args)
        return
    columns, fine = args[1] + 256 * args[2], args[0] >= 32
    picture = from_columns(columns, 24 if fine else 8, state.payload)
    state.paper.bit_image(stretched(picture, 1 if args[0] & 1 else 2, 1 if fine else 3))


def download_image(state: State, args: bytes) -> None:
    """GS * x y."""
    state.download = from_columns(8 * args[0], 8 * args[1], state.payload)


def print_download(state: State, args: bytes) -> None:
    """GS / m."""
    if state.download is not None:
        _print(state, state.download, args[0], "download")


def nv_images(state: State, args: bytes) -> None:
    """FS q n ...: the NV images 1..n; those before are gone."""
    if len(args) < 5:
        state.unknown(b"\x1cq" + args)
        return
    images: list[Picture] = []
    at = 1
    for _ in range(args[0]):
        x, y = args[at] + 256 * args[at + 1], args[at + 2] + 256 * args[at + 3]
        size = 8 * x * y
        data = args[at + 4 : at + 4 + size] if state.keep_images else b""
        images.append(from_columns(8 * x, 8 * y, data))
        at += 4 + size
    state.nv = tuple(images)


def print_nv(state: State, args: bytes) -> None:
    """FS p n m: NV image n; an undefined one prints nothing."""
    number = args[0]
    if 1 <= number <= len(state.nv):
        _print(state, state.nv[number - 1], args[1], "nv")
