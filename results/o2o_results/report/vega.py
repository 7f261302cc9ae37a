"""Vega-Lite specifications through Altair: the look that all charts share, and data by name.

Decides colours, the theme and how a chart takes its box. Data are named and put beside the chart, because Altair would
check every row of inline data against the schema (0.3 s for 500 rows).
"""

from __future__ import annotations

import math
from typing import Any

import altair as alt

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

INK, MUTED, GRID = "#22303a", "#6b7680", "#e6e3db"
DEMAND, PAPER, DOOR = "#cfcabd", "#1f6f78", "#d08a3c"
GOOD, BAD, NEITHER = "#2c7a57", "#a8322a", "#5b666e"

THEME: Spec = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "titleFontWeight": 500, "labelFontSize": 11, "titleFontSize": 11,
        "gridColor": GRID, "domain": False, "ticks": False, "labelPadding": 6, "titlePadding": 8,
    },
    "legend": {
        "orient": "top", "title": None, "labelColor": INK, "labelFontSize": 12, "symbolType": "circle",
        "symbolSize": 70, "offset": 4,
    },
    "text": {"color": INK, "fontSize": 11},
}  # fmt: skip

SWATCHES = alt.Legend(symbolType="square", symbolOpacity=1, symbolStrokeWidth=0)
"""The legend of areas and bars."""
LINES = alt.Legend(symbolType="stroke", symbolStrokeWidth=3)
"""The legend of lines."""


class Sheet:
    """The data of one chart, and the chart as a specification."""

    def __init__(self) -> None:
        self._datasets: dict[str, Rows] = {}

    def chart(self, rows: Rows) -> alt.Chart:
        """A chart of these rows; layers of one specification come from one sheet."""
        name = f"d{len(self._datasets)}"
        self._datasets[name] = rows
        return alt.Chart(alt.NamedData(name=name))

    def spec(self, chart: alt.TopLevelMixin, height: int) -> Spec:
        """The specification with its data, as wide as its box and `height` pixels high."""
        made: Spec = chart.to_dict()
        made.pop("$schema", None)  # an address; the page must hold none
        box = {"width": "container", "height": height, "autosize": {"type": "fit-x", "contains": "padding"}}
        return made | box | {"datasets": self._datasets}


def finite(value: float) -> float | None:
    """The value with six decimals, None for NaN and infinities, which JSON cannot hold."""
    return round(value, 6) if math.isfinite(value) else None
