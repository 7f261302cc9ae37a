"""Characters of single bytes: code tables (ESC t) and international sets (ESC R).

Decides which Python codec reads a code table. Tables that Python has no codec for (851, 853, 1098, TCVN-3 ...) are read
as code page 437, the power-on default. Multi-byte text (Kanji mode) is GB18030 and not decided here.
Sources: table numbers of the TM-T88V in escpos-printer-db (CC BY 4.0); ESC R from the Epson ESC/POS reference (esc_cr).
"""

from __future__ import annotations

CODE_TABLES = {
    0: "cp437", 1: "cp932", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 13: "cp857", 14: "cp737", 15: "iso8859_7",
    16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858", 32: "cp720", 33: "cp775", 34: "cp855", 35: "cp861",
    36: "cp862", 37: "cp864", 38: "cp869", 39: "iso8859_2", 40: "iso8859_15", 45: "cp1250", 46: "cp1251", 47: "cp1253",
    48: "cp1254", 49: "cp1255", 50: "cp1256", 51: "cp1257", 52: "cp1258", 53: "kz1048",
}  # fmt: skip

_PLACES = "#$@[\\]^`{|}~"
_SETS = (
    "#$@[\\]^`{|}~",  # 0 U.S.A.
    "#$à°ç§^`éùè¨",  # 1 France
    "#$§ÄÖÜ^`äöüß",  # 2 Germany
    "£$@[\\]^`{|}~",  # 3 U.K.
    "#$@ÆØÅ^`æøå~",  # 4 Denmark I
    "#¤ÉÄÖÅÜéäöåü",  # 5 Sweden
    "#$@°\\é^ùàòèì",  # 6 Italy
    "₧$@¡Ñ¿^`¨ñ}~",  # 7 Spain I
    "#$@[¥]^`{|}~",  # 8 Japan
    "#¤ÉÆØÅÜéæøåü",  # 9 Norway
    "#$ÉÆØÅÜéæøåü",  # 10 Denmark II
    "#$á¡Ñ¿é`íñóú",  # 11 Spain II
    "#$á¡Ñ¿éüíñóú",  # 12 Latin America
    "#$@[₩]^`{|}~",  # 13 Korea
    "#$ŽŠĐĆČžšđćč",  # 14 Slovenia, Croatia
    "#¥@[\\]^`{|}~",  # 15 China
)
INTERNATIONAL: tuple[dict[int, str] | None, ...] = tuple(
    None if number == 0 else {ord(a): b for a, b in zip(_PLACES, chars, strict=True) if a != b}
    for number, chars in enumerate(_SETS)
)
"""Per ESC R n a table for str.translate of the ASCII bytes; None where nothing changes."""


def codec(table: int) -> str:
    """Python's codec for ESC t `table`."""
    return CODE_TABLES.get(table, "cp437")
