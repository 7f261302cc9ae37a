"""The command table: opcode, name, argument shape, what it does, and where that is written down.

Data, not code: a printer that knows another command gets a row. A row without an action is understood (its arguments
never leak into the text) and changes nothing that a reader of the paper sees.

Sources: K = lengths and names in kunif/EscPosUtils (TokenizeESC/FS/GS/DLE.cs, zlib-like licence); E:page = Epson's
ESC/POS reference, download4.epson.biz/sec_pubs/pos/reference_en/escpos/page.html; P = constants of python-escpos
3.1 (MIT); S = SPRT SP-POS58IV user's manual (page 13); C = clones only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from o2o_devices.escpos import device_commands as device
from o2o_devices.escpos import shapes
from o2o_devices.escpos import symbol_commands as symbol
from o2o_devices.escpos import text_commands as text
from o2o_devices.escpos.shapes import Shape
from o2o_devices.escpos.state import State

Action = Callable[[State, bytes], None]


class Command(NamedTuple):
    opcode: bytes
    name: str
    shape: Shape
    action: Action | None
    what: str
    source: str


ESC, FS, GS, DLE = b"\x1b", b"\x1c", b"\x1d", b"\x10"

COMMANDS: tuple[Command, ...] = (
    # one byte
    Command(b"\x00", "NUL", 0, None, "nothing", "K"),
    Command(b"\x07", "BEL", 0, device.beep, "beep", "P, C"),
    Command(b"\x09", "HT", 0, text.tab, "next tab stop", "K"),
    Command(b"\x0a", "LF", 0, text.line_feed, "print and feed a line", "K"),
    Command(b"\x0c", "FF", 0, text.form_feed, "print the page, leave page mode", "K"),
    Command(b"\x0d", "CR", 0, None, "nothing, as set at the factory", "K"),
    Command(b"\x18", "CAN", 0, text.cancel, "drop the page's data", "K"),
    # DLE: acted on by the scanner on receipt; skipped here
    Command(DLE + b"\x04", "DLE EOT n", shapes.realtime_status, None, "status, answered on receipt", "K, E:dle_eot"),
    Command(DLE + b"\x05", "DLE ENQ n", 1, None, "recover from an error, on receipt", "K"),
    Command(DLE + b"\x14", "DLE DC4 fn", shapes.realtime, None, "on receipt: 1 drawer, 8 clear", "K, E:dle_dc4_fn8"),
    # ESC
    Command(ESC + b"\x0c", "ESC FF", 0, text.print_page, "print the page, stay in page mode", "K"),
    Command(ESC + b"\x0e", "ESC SO", 0, text.wide_on, "double width, to the end of the line", "S"),
    Command(ESC + b"\x14", "ESC DC4", 0, text.wide_off, "double width off", "S"),
    Command(ESC + b"\x20", "ESC SP n", 1, text.right_space, "space after one-byte characters", "K"),
    Command(ESC + b"!", "ESC ! n", 1, text.print_mode, "font, bold, size, underline of one-byte characters", "K"),
    Command(ESC + b"$", "ESC $ nL nH", 2, text.position, "horizontal position", "K"),
    Command(ESC + b"%", "ESC % n", 1, None, "own characters on or off", "K"),
    Command(ESC + b"&", "ESC & y c1 c2 ...", shapes.glyphs, None, "define own characters", "K"),
    Command(ESC + b"(", "ESC ( X pL pH ...", shapes.counted, device.esc_group, "A beeper, others skipped", "K"),
    Command(ESC + b"*", "ESC * m nL nH ...", shapes.bit_image, symbol.bit_image, "bit image in the line", "K"),
    Command(ESC + b"+", "ESC + n", 1, text.spacing_360, "line spacing n/360 inch", "P, C"),
    Command(ESC + b"-", "ESC - n", 1, text.underline, "underline", "K"),
    Command(ESC + b"2", "ESC 2", 0, text.default_spacing, "default line spacing", "K"),
    Command(ESC + b"3", "ESC 3 n", 1, text.line_spacing, "line spacing", "K"),
    Command(ESC + b"4", "ESC 4", 0, None, "italic on", "C"),
    Command(ESC + b"5", "ESC 5", 0, None, "italic off", "C"),
    Command(ESC + b"<", "ESC <", 0, None, "return home", "K"),
    Command(ESC + b"=", "ESC = n", 1, device.peripheral, "select the printer or another device", "K"),
    Command(ESC + b"?", "ESC ? n", 1, None, "cancel an own character", "K"),
    Command(ESC + b"@", "ESC @", 0, text.initialize, "clear the print buffer, reset the modes", "K"),
    Command(ESC + b"A", "ESC A n", 1, text.spacing_60, "line spacing n/60 inch", "P, C"),
    Command(ESC + b"B", "ESC B n t", 2, device.beep, "beep n times", "P, C"),
    Command(ESC + b"C", "ESC C n", 1, None, "cut sheet eject length", "K"),
    Command(ESC + b"D", "ESC D n1 ... NUL", shapes.tab_stops, text.tab_stops, "tab stops", "K"),
    Command(ESC + b"E", "ESC E n", 1, text.bold, "bold", "K"),
    Command(ESC + b"F", "ESC F n", 1, None, "cut sheet reverse eject", "K"),
    Command(ESC + b"G", "ESC G n", 1, text.bold, "double strike", "K"),
    Command(ESC + b"J", "ESC J n", 1, text.feed_units, "print and feed n units", "K"),
    Command(ESC + b"K", "ESC K n", 1, None, "print and feed back", "K"),
    Command(ESC + b"L", "ESC L", 0, text.page_mode, "page mode", "K"),
    Command(ESC + b"M", "ESC M n", 1, text.font, "font A or B", "K"),
    Command(ESC + b"R", "ESC R n", 1, text.international, "international character set", "K"),
    Command(ESC + b"S", "ESC S", 0, text.standard_mode, "standard mode", "K"),
    Command(ESC + b"T", "ESC T n", 1, text.page_direction, "direction of printing in page mode", "K"),
    Command(ESC + b"U", "ESC U n", 1, None, "unidirectional printing", "K"),
    Command(ESC + b"V", "ESC V n", 1, None, "turn characters by 90 degrees", "K"),
    Command(ESC + b"W", "ESC W + 8", 8, text.page_area, "area of the page", "K"),
    Command(ESC + b"\\", "ESC \\ nL nH", 2, text.move, "relative horizontal position", "K"),
    Command(ESC + b"a", "ESC a n", 1, text.align, "alignment", "K"),
    Command(ESC + b"c", "ESC c x n", 2, None, "paper sensors, panel buttons", "K"),
    Command(ESC + b"d", "ESC d n", 1, text.feed_lines, "print and feed n lines", "K"),
    Command(ESC + b"e", "ESC e n", 1, None, "print and feed n lines back", "K"),
    Command(ESC + b"f", "ESC f t1 t2", 2, None, "cut sheet wait time", "K"),
    Command(ESC + b"i", "ESC i", 0, device.cut_points, "cut (obsolete)", "K"),
    Command(ESC + b"m", "ESC m", 0, device.cut_points, "cut (obsolete)", "K"),
    Command(ESC + b"p", "ESC p m t1 t2", 3, device.pulse, "drawer", "K"),
    Command(ESC + b"q", "ESC q", 0, None, "release paper", "K"),
    Command(ESC + b"r", "ESC r n", 1, None, "colour", "K"),
    Command(ESC + b"t", "ESC t n", 1, text.code_table, "code table", "K"),
    Command(ESC + b"u", "ESC u n", 1, device.transmit_drawer, "drawer status (obsolete)", "K"),
    Command(ESC + b"v", "ESC v", 0, device.transmit_paper, "paper status (obsolete)", "K"),
    Command(ESC + b"{", "ESC { n", 1, None, "upside down", "K"),
    # FS
    Command(FS + b"!", "FS ! n", 1, text.kanji_mode, "size and underline of multi-byte characters", "K"),
    Command(FS + b"&", "FS &", 0, text.kanji_on, "multi-byte characters on", "K"),
    Command(FS + b"(", "FS ( X pL pH ...", shapes.counted, None, "skipped by length", "K"),
    Command(FS + b"-", "FS - n", 1, text.kanji_underline, "underline multi-byte characters", "K"),
    Command(FS + b".", "FS .", 0, text.kanji_off, "multi-byte characters off", "K"),
    Command(FS + b"2", "FS 2 c1 c2 + 72", 74, None, "define an own multi-byte character (font A)", "K"),
    Command(FS + b"?", "FS ? c1 c2", 2, None, "cancel an own multi-byte character", "K"),
    Command(FS + b"C", "FS C n", 1, None, "Kanji code system (Japanese models)", "K"),
    Command(FS + b"L", "FS L", 0, None, "double density page mode", "K"),
    Command(FS + b"S", "FS S n1 n2", 2, text.kanji_space, "space around multi-byte characters", "K"),
    Command(FS + b"W", "FS W n", 1, text.quadruple, "multi-byte characters twice the size", "K"),
    Command(FS + b"a", "FS a n", shapes.check_paper, None, "check paper", "K"),
    Command(FS + b"b", "FS b", 0, None, "check reading result", "K"),
    Command(FS + b"c", "FS c", 0, None, "clean the MICR head", "K"),
    Command(FS + b"g", "FS g n ...", shapes.nv_user_memory, None, "NV user memory", "K"),
    Command(FS + b"p", "FS p n m", 2, symbol.print_nv, "print NV image n", "K"),
    Command(FS + b"q", "FS q n ...", shapes.nv_images, symbol.nv_images, "define NV images", "K"),
    # GS
    Command(GS + b"!", "GS ! n", 1, text.character_size, "size of all characters", "K"),
    Command(GS + b"$", "GS $ nL nH", 2, text.page_position, "vertical position in the page", "K"),
    Command(GS + b"(", "GS ( X pL pH ...", shapes.graphics, device.gs_group, "H, k, L", "K, E:gs_lparen_ch"),
    Command(GS + b"*", "GS * x y ...", shapes.download_image, symbol.download_image, "store an image", "K"),
    Command(GS + b"/", "GS / m", 1, symbol.print_download, "print the stored image", "K"),
    Command(GS + b"8", "GS 8 L p1..p4 ...", shapes.long_graphics, symbol.long_graphics, "graphics", "K"),
    Command(GS + b":", "GS :", 0, None, "begin or end a macro; its content is executed once", "K"),
    Command(GS + b"B", "GS B n", 1, text.invert, "white on black", "K"),
    Command(GS + b"C", "GS C x ...", shapes.counters, None, "counters", "K"),
    Command(GS + b"D", "GS D m fn ...", shapes.windows_bmp, None, "store a BMP image", "K"),
    Command(GS + b"E", "GS E n", 1, None, "head control (obsolete)", "K"),
    Command(GS + b"H", "GS H n", 1, symbol.hri_position, "position of a bar code's digits", "K"),
    Command(GS + b"I", "GS I n", 1, device.transmit_id, "printer id", "K"),
    Command(GS + b"L", "GS L nL nH", 2, text.left_margin, "left margin", "K"),
    Command(GS + b"P", "GS P x y", 2, text.motion_units, "motion units", "K"),
    Command(GS + b"Q", "GS Q 0 m ...", shapes.raster, symbol.variable_raster, "raster image (obsolete)", "K"),
    Command(GS + b"T", "GS T n", 1, None, "to the beginning of the line", "K"),
    Command(GS + b"V", "GS V m [n]", shapes.cut, device.cut, "cut", "K"),
    Command(GS + b"W", "GS W nL nH", 2, text.area_width, "width of the print area", "K"),
    Command(GS + b"\\", "GS \\ nL nH", 2, text.page_move, "relative vertical position in the page", "K"),
    Command(GS + b"^", "GS ^ r t m", 3, None, "repeat the macro", "K"),
    Command(GS + b"a", "GS a n", 1, device.auto_status, "automatic status back", "K"),
    Command(GS + b"b", "GS b n", 1, None, "smoothing", "K"),
    Command(GS + b"c", "GS c", 0, None, "print the counter", "K"),
    Command(GS + b"f", "GS f n", 1, None, "font of a bar code's digits", "K"),
    Command(GS + b"g", "GS g n ...", shapes.maintenance, None, "maintenance counters", "K"),
    Command(GS + b"h", "GS h n", 1, symbol.barcode_height, "height of bar codes", "K"),
    Command(GS + b"j", "GS j n", 1, None, "automatic ink status back", "K"),
    Command(GS + b"k", "GS k m ...", shapes.barcode, symbol.barcode, "bar code", "K"),
    Command(GS + b"r", "GS r n", 1, device.transmit_status, "status, answered in its place", "K"),
    Command(GS + b"v", "GS v 0 m ...", shapes.raster, symbol.raster, "raster image", "K"),
    Command(GS + b"w", "GS w n", 1, symbol.barcode_width, "width of bar codes", "K"),
    Command(GS + b"z", "GS z 0 t1 t2", 3, None, "online recovery wait time", "K"),
    Command(GS + b"|", "GS | n", 1, None, "print density", "P, C"),
)  # fmt: skip

ONE_BYTE: dict[int, Command] = {row.opcode[0]: row for row in COMMANDS if len(row.opcode) == 1}
PREFIXED: dict[int, Command] = {row.opcode[0] << 8 | row.opcode[1]: row for row in COMMANDS if len(row.opcode) == 2}
PREFIXES = frozenset((0x10, 0x1B, 0x1C, 0x1D))


def table() -> str:
    """The commands as the Markdown table of docs/escpos.md."""
    rows = ["| command | bytes | what it does here | source |", "|---|---|---|---|"]
    for row in COMMANDS:
        name = row.name.replace("|", "\\|")
        what = row.what if row.action is not None or row.opcode[0] == DLE[0] else f"{row.what} (read, no effect)"
        rows.append(f"| {name} | {row.opcode.hex(' ').upper()} | {what} | {row.source} |")
    return "\n".join(rows)
