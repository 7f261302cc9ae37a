"""Text as a receipt printer has it: what can stand on paper, how wide it is, how it wraps.

Decides which characters are printed and where a line breaks. Leaves what a ticket says to `ticket_layout` and bytes
(GB18030) to the platform's renderers.

What a printer's font lacks: GB18030 has a code for every character, and a printer's font has a shape for those of two
bytes (GBK) and for ideographs. Anything else is printed as the nearest that it has (U+00A5 as U+FFE5, "ñ" as "n"), and
as "〓" if there is none (emoji, private use, other scripts): a cell that says "something stood here", not garbage.

Width rule: a printer in Chinese mode sets every GB18030 character (two or four bytes) in a cell two columns wide and
every ASCII character in one. That is never less than wcwidth, so a line that fits here fits by either measure.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MISSING = "〓"
"""Stands for a character that no receipt printer has a shape for (the geta mark of Chinese and Japanese print)."""

_USUAL = re.compile("[ -~\u3001-\u3003\u3005-\u3017\u4e00-\u9fa5\uff01-\uff5e\uffe5\u00b7\u2014\u2018-\u201d\u2026]*")
"""Texts that need no look at each character: ASCII, common punctuation, the ideographs of GBK."""
_DROPPED = frozenset({"Cc", "Cf", "Mn", "Me"})
"""Control and format characters: an ESC in a note must never reach a printer. Marks have no cell of their own."""
_NEAREST = {"\u00a5": "\uffe5", "\u2022": "·", "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2212": "-"}


def on_paper(text: str) -> str:
    """`text` as it comes off the paper: one line, runs of white space as one space, none at the ends.

    Control and format characters vanish (line breaks become spaces), lone surrogates become "?", and what fonts lack
    its nearest or MISSING. Texts are compared with the paper in this form: on_paper(on_paper(x)) == on_paper(x).
    """
    if _USUAL.fullmatch(text) is None:
        text = "".join([_printed(char) for char in unicodedata.normalize("NFC", text)])
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    return text


@lru_cache(maxsize=4096)
def _printed(char: str) -> str:
    """What one composed character becomes."""
    if char.isspace():
        return " "
    category = unicodedata.category(char)
    if category == "Cs":
        return "?"
    if category in _DROPPED:
        return ""
    if _in_fonts(char, category):
        return char
    nearest = _NEAREST.get(char)
    if nearest is None:
        parts = [part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part) not in _DROPPED]
        has_all = all(part == " " or _in_fonts(part, unicodedata.category(part)) for part in parts)
        nearest = "".join(parts) if parts and has_all else MISSING
    return nearest


def _in_fonts(char: str, category: str) -> bool:
    if "\u3400" <= char <= "\u4dbf" or "\u4e00" <= char <= "\u9fff" or "\U00020000" <= char <= "\U000323af":
        return True
    return category not in ("Co", "Cn", "Cs") and len(char.encode("gb18030")) <= 2


def columns(text: str) -> int:
    """Columns that `text` takes: 1 for each ASCII character, 2 for any other ("A菜" -> 3)."""
    count = len(text)
    return count if text.isascii() else 2 * count - len(text.encode("ascii", "ignore"))


def wrap(text: str, first: int, rest: int) -> list[str]:
    """`text` (as from `on_paper`) cut into chunks of at most `first`, then `rest` columns (both >= 4).

    Lossless: "".join(chunks) == text; no chunk ends with a space (a space at a break opens the next chunk). An ASCII
    word (or number) is torn only when it fills about half of the line or more. An empty text gives one empty chunk.
    """
    if columns(text) <= first:
        return [text]
    chunks: list[str] = []
    room = first
    while columns(text) > room:
        used = cut = 0
        for cut, char in enumerate(text):  # noqa: B007 - the index is the cut
            used += 1 if char < "\x80" else 2
            if used > room:
                break
        if text[cut] != " ":
            word = cut
            while word > cut // 2 and "!" <= text[word] <= "~" and "!" <= text[word - 1] <= "~":
                word -= 1
            if word > cut // 2:
                cut = word
            if text[cut - 1] == " ":
                cut -= 1
        chunks.append(text[:cut])
        text = text[cut:]
        room = rest
    chunks.append(text)
    return chunks
