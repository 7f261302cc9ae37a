"""text/plain in UTF-8, as a cloud printer prints it: lines, nothing else, and a cut at the end (A14).

Decides that control characters other than line ends and tabs mean nothing (a text file cannot make a printer do
things), that a line which is too long goes on in the next one (the engine's doing), and that the paper is cut after a
feed, as CloudPRNT clients do for a medium that cannot say so itself. Source: Star CloudPRNT protocol guide 2.4.0,
content media types and the X-Star-Cut header ("none", "partial", "full", with "; feed=true"; a cut with a feed is taken
for the default).
"""

from __future__ import annotations

import re
from typing import Literal

from o2o_devices.errors import DecodeError

UNDECODABLE = "511"
Cut = Literal["none", "partial", "full"]
_CUTS: dict[tuple[Cut, bool], bytes] = {
    ("partial", True): b"\x1dVB\x00",
    ("full", True): b"\x1dVA\x00",
    ("partial", False): b"\x1dV\x01",
    ("full", False): b"\x1dV\x00",
}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def to_escpos(data: bytes, *, cut: Cut = "partial", feed: bool = True) -> bytes:
    """A text as bytes for the engine inside. Raises DecodeError ("511") for what is not UTF-8, or empty."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError(UNDECODABLE, f"not UTF-8: {error.reason}") from None
    if not text:
        raise DecodeError(UNDECODABLE, "an empty text")
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if not text.endswith("\n"):
        text += "\n"
    return b"\x1b@\x1c&" + text.encode("gb18030") + cut_bytes(cut, feed)


def cut_bytes(cut: Cut, feed: bool) -> bytes:
    """A cut as the engine has it, after a feed to the blade or at once."""
    return _CUTS.get((cut, feed), b"")
