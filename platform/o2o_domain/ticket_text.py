"""Text as a receipt printer has it: what can stand on paper, how wide it is, how it wraps.

Decides which characters are printed and where a line breaks. Leaves what a ticket says to `ticket_layout` and bytes
(GB18030) to the platform's renderer.

Width rule: a printer in Chinese mode sets every GB18030 character (two or four bytes) in a cell two columns wide and
every ASCII character in one. That is never less than wcwidth, so a line that fits here fits by either measure.
"""

from __future__ import annotations

import unicodedata

_DROPPED = frozenset({"Cc", "Cf"})
"""Control and format characters: an ESC in a note must never reach a printer, and they have no shape anyway."""


def on_paper(text: str) -> str:
    """`text` as it comes off the paper: one line, runs of white space as one space, none at the ends.

    Control and format characters vanish (line breaks become spaces), lone surrogates become "?". Texts are compared
    with the paper in this form: on_paper(on_paper(x)) == on_paper(x).
    """
    if text.isprintable():  # then the only white space in it is the space
        if "  " not in text and text[:1] != " " and text[-1:] != " ":
            return text
    else:
        kept = []
        for char in text:
            if char.isspace():
                kept.append(" ")
                continue
            category = unicodedata.category(char)
            if category == "Cs":
                kept.append("?")
            elif category not in _DROPPED:
                kept.append(char)
        text = "".join(kept)
    return " ".join(text.split())


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
