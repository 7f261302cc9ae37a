"""The modules of a QR code, as the printer makes them of GS ( k data: to be looked at, and scanned from a picture.

Decides byte mode and the smallest of versions 1 to 10 that holds the data (ISO/IEC 18004); larger codes are not drawn.
Real printers choose the mask by its penalty; here it is always mask 0, which every scanner reads as well.
"""

from __future__ import annotations

from functools import cache

from o2o_devices.dots import Picture, from_rows, stretched
from o2o_devices.escpos.symbols import qr_modules

_TOTAL = (26, 44, 70, 100, 134, 172, 196, 242, 292, 346)
"""Codewords of versions 1..10."""
_BLOCKS = {
    48: ((7, 1), (10, 1), (15, 1), (20, 1), (26, 1), (18, 2), (20, 2), (24, 2), (30, 2), (18, 4)),
    49: ((10, 1), (16, 1), (26, 1), (18, 2), (24, 2), (16, 4), (18, 4), (22, 4), (22, 5), (26, 5)),
    50: ((13, 1), (22, 1), (18, 2), (26, 2), (18, 4), (24, 4), (18, 6), (22, 6), (20, 8), (24, 8)),
    51: ((17, 1), (28, 1), (22, 2), (16, 4), (22, 4), (28, 4), (26, 5), (26, 6), (24, 8), (28, 8)),
}
"""(correction codewords a block, blocks) of versions 1..10 at L, M, Q, H, as GS ( k function 69 numbers them."""
_LEVEL_BITS = {48: 1, 49: 0, 50: 3, 51: 2}
_ALIGNED = ((), (18,), (22,), (26,), (30,), (34,), (22, 38), (24, 42), (26, 46), (28, 50))


@cache
def _field() -> tuple[list[int], list[int]]:
    """Powers and logarithms in GF(256)."""
    powers, logs, value = [0] * 512, [0] * 256, 1
    for n in range(255):
        powers[n] = powers[n + 255] = value
        logs[value] = n
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    return powers, logs


@cache
def _generator(degree: int) -> tuple[int, ...]:
    powers, logs = _field()
    out = [1]
    for n in range(degree):
        out = [
            (out[at] if at < len(out) else 0) ^ (powers[logs[out[at - 1]] + n] if at and out[at - 1] else 0)
            for at in range(len(out) + 1)
        ]
    return tuple(out)


def _correction(data: bytes, degree: int) -> bytes:
    """Reed-Solomon codewords of a block."""
    powers, logs = _field()
    divisor = _generator(degree)
    rest = [*data, *[0] * degree]
    for at in range(len(data)):
        if factor := rest[at]:
            for n, value in enumerate(divisor):
                rest[at + n] ^= powers[logs[value] + logs[factor]]
    return bytes(rest[len(data) :])


def _codewords(data: bytes, version: int, level: int) -> bytes:
    """Data in byte mode, padded, cut into blocks, corrected and interleaved."""
    total = _TOTAL[version - 1]
    degree, blocks = _BLOCKS[level][version - 1]
    room = total - degree * blocks
    count_bits = 8 if version < 10 else 16
    bits = f"0100{len(data):0{count_bits}b}" + "".join(f"{byte:08b}" for byte in data)
    bits += "0" * min(4, room * 8 - len(bits))
    bits += "0" * (-len(bits) % 8)
    body = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    body += (b"\xec\x11" * total)[: room - len(body)]
    short, longer = divmod(room, blocks)
    parts: list[bytes] = []
    at = 0
    for number in range(blocks):
        size = short + (number >= blocks - longer)
        parts.append(body[at : at + size])
        at += size
    checks = [_correction(part, degree) for part in parts]
    spread = [part[n] for n in range(short + 1) for part in parts if n < len(part)]
    return bytes([*spread, *(check[n] for n in range(degree) for check in checks)])


def _checked(value: int, bits: int, divisor: int) -> int:
    """`value` with its BCH remainder behind it."""
    rest = value << bits
    for shift in range(rest.bit_length() - bits - 1, -1, -1):
        if rest >> shift + bits & 1:
            rest ^= divisor << shift
    return value << bits | rest


def modules(data: bytes, level: int) -> list[list[bool]] | None:
    """Rows of modules, black is True; None: more than version 10 holds."""
    level = level if level in _BLOCKS else 48
    side = qr_modules(len(data), level)
    version = (side - 17) // 4
    if version > len(_TOTAL):
        return None
    grid: list[list[bool | None]] = [[None] * side for _ in range(side)]
    _patterns(grid, side, version)
    _format(grid, side, level)
    bits = "".join(f"{word:08b}" for word in _codewords(data, version, level))
    at = 0
    for column in range(side - 1, 0, -2):
        right = column - (column <= 6)  # the timing column is skipped
        upwards = (right + 1) & 2 == 0
        for step in range(side):
            row = side - 1 - step if upwards else step
            for x in (right, right - 1):
                if grid[row][x] is None:
                    black = at < len(bits) and bits[at] == "1"
                    grid[row][x] = black ^ ((row + x) % 2 == 0)
                    at += 1
    return [[bool(module) for module in row] for row in grid]


def _patterns(grid: list[list[bool | None]], side: int, version: int) -> None:
    """Finders, timing, alignment, version."""
    for top, left in ((0, 0), (0, side - 7), (side - 7, 0)):
        for y in range(-1, 8):
            for x in range(-1, 8):
                if 0 <= top + y < side and 0 <= left + x < side:
                    ring = max(abs(y - 3), abs(x - 3))
                    grid[top + y][left + x] = ring not in (2, 4)
    for n in range(8, side - 8):
        grid[6][n] = grid[n][6] = n % 2 == 0
    centres = (6, *_ALIGNED[version - 1]) if version > 1 else ()
    for cy in centres:
        for cx in centres:
            if (cy, cx) not in ((6, 6), (6, side - 7), (side - 7, 6)):
                for y in range(-2, 3):
                    for x in range(-2, 3):
                        grid[cy + y][cx + x] = max(abs(y), abs(x)) != 1
    if version >= 7:
        told = _checked(version, 12, 0x1F25)
        for n in range(18):
            black = bool(told >> n & 1)
            grid[n // 3][side - 11 + n % 3] = grid[side - 11 + n % 3][n // 3] = black


def _format(grid: list[list[bool | None]], side: int, level: int) -> None:
    """Level and mask (0), twice, and the module that is always black."""
    told = _checked(_LEVEL_BITS[level] << 3, 10, 0x537) ^ 0x5412
    for n in range(15):
        black = bool(told >> n & 1)
        grid[n if n < 6 else n + 1 if n < 8 else side - 15 + n][8] = black
        grid[8][side - 1 - n if n < 8 else 15 - n if n == 8 else 14 - n] = black
    grid[side - 8][8] = True


def picture(data: bytes, level: int, module_dots: int) -> Picture | None:
    """The code in dots, `module_dots` a module, without a quiet zone."""
    rows = modules(data, level)
    if rows is None:
        return None
    stride = (len(rows) + 7) // 8
    packed = b"".join(
        int("".join("1" if black else "0" for black in row).ljust(stride * 8, "0"), 2).to_bytes(stride, "big")
        for row in rows
    )
    return stretched(from_rows(len(rows), len(rows), packed), module_dots, module_dots)
