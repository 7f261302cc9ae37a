"""QR codes and bar codes: what a scanner would read, and the paper they take.

Decides symbology names and sizes in dots; parsing the commands is left to `graphics`. A QR code's version is the
smallest that holds the data in byte mode (ISO/IEC 18004 table 7), although printers pack digits tighter: lengths of
paper are then a few mm too long for codes of digits only.
"""

from __future__ import annotations

from bisect import bisect_left

_BYTES = {
    48: (
        17, 32, 53, 78, 106, 134, 154, 192, 230, 271, 321, 367, 425, 458, 520, 586, 644, 718, 792, 858, 929, 1003, 1091,
        1171, 1273, 1367, 1465, 1528, 1628, 1732, 1840, 1952, 2068, 2188, 2303, 2431, 2563, 2699, 2809, 2953,
    ),
    49: (
        14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666, 711, 779, 857,
        911, 997, 1059, 1125, 1190, 1264, 1370, 1452, 1538, 1628, 1722, 1809, 1911, 1989, 2099, 2213, 2331,
    ),
    50: (
        11, 20, 32, 46, 60, 74, 86, 108, 130, 151, 177, 203, 241, 258, 292, 322, 364, 394, 442, 482, 509, 565, 611, 661,
        715, 751, 805, 868, 908, 982, 1030, 1112, 1168, 1228, 1283, 1351, 1423, 1499, 1579, 1663,
    ),
    51: (
        7, 14, 24, 34, 44, 58, 64, 84, 98, 119, 137, 155, 177, 194, 220, 250, 280, 310, 338, 382, 403, 439, 461, 511,
        535, 593, 625, 658, 698, 742, 790, 842, 898, 958, 983, 1051, 1093, 1139, 1219, 1273,
    ),
}  # fmt: skip
"""Bytes that versions 1..40 hold at the error correction levels L, M, Q, H (as numbered by GS ( k function 69)."""

BARCODES = {
    0: "UPC-A", 1: "UPC-E", 2: "EAN13", 3: "EAN8", 4: "CODE39", 5: "ITF", 6: "CODABAR",
    65: "UPC-A", 66: "UPC-E", 67: "EAN13", 68: "EAN8", 69: "CODE39", 70: "ITF", 71: "CODABAR", 72: "CODE93",
    73: "CODE128", 74: "GS1-128", 75: "GS1-DATABAR", 76: "GS1-DATABAR-TRUNCATED", 77: "GS1-DATABAR-LIMITED",
    78: "GS1-DATABAR-EXPANDED", 79: "CODE128-AUTO",
}  # fmt: skip
"""Symbologies of GS k m."""

CODES_2D = {
    48: "PDF417", 49: "QR", 50: "MAXICODE", 51: "GS1-DATABAR-2D", 52: "COMPOSITE", 53: "AZTEC", 54: "DATAMATRIX",
}  # fmt: skip
"""Symbologies of GS ( k."""
_FIXED = {"UPC-A": 95, "UPC-E": 51, "EAN13": 95, "EAN8": 67}
_PER_CHARACTER = {"CODE39": 16, "ITF": 9, "CODABAR": 12, "CODE93": 9}


def barcode_modules(symbology: str, characters: int) -> int:
    """Width in narrow bars, quiet zones left out: exact for EAN and UPC, an estimate (11 a character) for the rest."""
    return _FIXED.get(symbology) or _PER_CHARACTER.get(symbology, 11) * (characters + 2) + 2


def qr_modules(size_bytes: int, level: int) -> int:
    """Modules on a side: 21 for version 1, 4 more per version. 40 bytes at level M: version 3, 29 modules."""
    capacities = _BYTES.get(level, _BYTES[48])
    version = min(bisect_left(capacities, size_bytes), len(capacities) - 1) + 1
    return 17 + 4 * version


def readable(data: bytes) -> str:
    """The text a scanner shows: UTF-8 if it is, else GB18030, else Latin-1."""
    for name in ("utf-8", "gb18030"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def barcode_text(symbology: int, data: bytes) -> str:
    """Data without CODE128's code-set marks: b"{B123" reads 123; "{{" is a brace."""
    text = data.decode("latin-1")
    if symbology not in (73, 74):
        return text
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "{" and at + 1 < len(text):
            if text[at + 1] == "{":
                out.append("{")
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)
