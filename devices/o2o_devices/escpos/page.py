"""Page mode (ESC L): things put at places of an area, printed all at once, and how a reader sees them as lines.

Decides that what stands at one height is one line, from left to right, with spaces between its columns; that text of
another direction (ESC T 1, 3: a quarter turn) is read in its own direction and comes after the upright text; and that
pages feed the height of their areas. Coordinates are dots in the area's own direction until the page is printed.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from o2o_devices.receipt import ReceiptLine, Span, Style

_PLAIN = Style()


class _Item(NamedTuple):
    x: int
    y: int
    width: int
    advance: int
    line: ReceiptLine


class Page:
    """What was put on the page since ESC L or CAN. `width`: dots of the paper."""

    __slots__ = ("_area", "_cell", "_items", "bottom", "direction", "paper_width")

    def __init__(self, width: int, cell: int) -> None:
        self.paper_width = width
        self._cell = cell
        self._items: list[_Item] = []
        self._area = (0, 0, width, 0)
        self.direction = 0
        self.bottom = 0
        """Lowest edge of the areas, as far as ESC W has set any."""

    def set_area(self, x: int, y: int, dx: int, dy: int) -> None:
        """ESC W: what comes is put there; 0 wide or high: not an area, ignored as on real printers."""
        if dx > 0 and dy > 0:
            self._area = (x, y, min(dx, max(self.paper_width - x, 1)), dy)
            self.bottom = max(self.bottom, y + dy)

    @property
    def line_dots(self) -> int:
        """How long a line may be: the area's width, or its height where text is turned by a quarter."""
        _, _, dx, dy = self._area
        return dx if self.direction % 2 == 0 else dy or dx

    def put(self, x: int, y: int, width: int, advance: int, line: ReceiptLine) -> None:
        """A line, or a part of one, at (x, y) of the present area and direction."""
        left, top, dx, dy = self._area
        if self.direction == 0:
            x, y = left + x, top + y
        elif self.direction == 2:
            x, y = left + dx - x - width, top + max(dy - y - advance, 0)
        elif self.direction == 1:  # from the lower left upwards
            x, y = left + y, top + max(dy - x, 0)
        else:  # from the upper right downwards
            x, y = left + max(dx - y, 0), top + x
        self._items.append(_Item(x, y, width, advance, line._replace(turn=self.direction, align="left")))

    def clear(self) -> None:
        """CAN: nothing is on the page; areas and direction stay."""
        self._items.clear()

    @property
    def height(self) -> int:
        """Paper that the page takes."""
        low = (item.y + (item.advance if item.line.turn % 2 == 0 else 0) for item in self._items)
        return max(self.bottom, max(low, default=0))

    def lines(self) -> list[tuple[int, ReceiptLine]]:
        """(end in dots, line) from top to bottom, upright text first; the page stays as it is."""
        upright = [item for item in self._items if item.line.turn % 2 == 0]
        turned = [item for item in self._items if item.line.turn % 2]
        upright.sort(key=lambda item: (item.y, item.x))
        out: list[tuple[int, ReceiptLine]] = []
        for _, row in groupby(upright, lambda item: (item.y, item.line.kind == "text", item.line.turn)):
            items = list(row)
            if items[0].line.kind == "text":
                out.append(self._row(items))
            else:
                out += [(item.y + item.advance, item.line._replace(left=item.x, top=item.y)) for item in items]
        out += [(item.y, item.line._replace(left=item.x, top=item.y)) for item in turned]
        return out

    def _row(self, items: list[_Item]) -> tuple[int, ReceiptLine]:
        """Columns of one height as one line, with as many spaces between them as there is room for."""
        first = items[0]
        end = max(item.y + item.advance for item in items)
        if len(items) == 1:
            return end, first.line._replace(left=first.x, top=first.y)
        if first.line.turn == 2:  # read from the other side
            items.reverse()
        spans: list[Span] = []
        at = items[0].x
        for item in items:
            gap = round(abs(item.x - at) / self._cell) if spans else 0
            if gap:
                spans.append(Span(" " * gap, _PLAIN))
            line = item.line
            spans += line.spans or (Span(line.text, Style(*line.size, line.bold)),)
            at = item.x + item.width
        lines = [item.line for item in items]
        size = (max(line.size[0] for line in lines), max(line.size[1] for line in lines))
        text = "".join(span.text for span in spans)
        bold = any(line.bold for line in lines)
        return end, first.line._replace(text=text, size=size, bold=bold, spans=tuple(spans), left=first.x, top=first.y)
