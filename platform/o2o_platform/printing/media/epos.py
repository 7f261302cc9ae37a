"""From a ticket to ePOS-Print XML, the language of Epson's printers on the web (A14; Server Direct Print).

Decides elements and attributes, not layout (that is `o2o_domain.ticket_layout`). An attribute of <text> holds until it
is changed, so that each is written where it changes, and all of them at the head: a former job may have left any.

    <text lang="zh-cn" .../>                        simplified Chinese; the printer turns UTF-8 into its own code
    <text align="center" width="2" height="2" em="true">...&#10;</text>
    <symbol type="qrcode_model_2" level="level_m" width="4">...</symbol>    width: dots of a module
    <cut type="feed"/>                              feed to the blade and cut

Sources: Epson's sample data for Server Direct Print, version 5.0.0E, for elements and how attributes hold; ePOS-Print
XML User's Manual (M00048210 rev. K) for their values; "zh-cn" is what Epson's SDK for JavaScript calls simplified
Chinese. Characters that XML 1.0 cannot carry are printed as the mark of a missing type; the layout has hardly any.
"""

from __future__ import annotations

import re
from typing import Literal

from o2o_domain.ticket_layout import TicketOrder, layout
from o2o_domain.ticket_text import MISSING

NAMESPACE = "http://www.epson-pos.com/schemas/2011/03/epos-print"
QR_MODULE = 4
"""Dots per module of the QR code."""
_HEAD = (
    f'<epos-print xmlns="{NAMESPACE}">'
    '<text lang="zh-cn" font="font_a" smooth="false" align="left" width="1" height="1" ul="false" em="false"/>'
)
_FOOT = '<cut type="feed"/></epos-print>'
_SIZE = {"big": ' width="2" height="2"', "normal": ' width="1" height="1"'}
_EM = {True: ' em="true"', False: ' em="false"'}
_UNUSABLE = re.compile("[^ -~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Control characters, of which XML knows three, surrogates, U+FFFE and U+FFFF."""


def escaped(text: str) -> str:
    """`text` as the content of an element (or of an attribute in double quotes)."""
    if not text.isprintable():
        text = _UNUSABLE.sub(MISSING, text)
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text or ">" in text or '"' in text:
        text = text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text


def render(order: TicketOrder, width_cols: Literal[32, 48], qr: str) -> bytes:
    """The ticket as an <epos-print> element in UTF-8; `qr` is the text of the code at its foot, left out when empty."""
    out = [_HEAD]
    align, size, bold = "left", "normal", False
    for line in layout(order, width_cols):
        changes = ""
        if line.align != align:
            align = line.align
            changes += f' align="{align}"'
        if (wanted := "big" if line.style == "big" else "normal") != size:
            size = wanted
            changes += _SIZE[size]
        if (line.style == "bold") != bold:
            bold = not bold
            changes += _EM[bold]
        out.append(f"<text{changes}>{escaped(line.text)}&#10;</text>")
    if qr:
        out.append('<text align="center" width="1" height="1" em="false"/>')
        out.append(f'<symbol type="qrcode_model_2" level="level_m" width="{QR_MODULE}">{escaped(qr)}</symbol>')
    out.append(_FOOT)
    return "".join(out).encode()
