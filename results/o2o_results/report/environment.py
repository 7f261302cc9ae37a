"""How a page is put together: templates and assets of this package, JSON inside HTML, and Vega once a page.

Decides that a page is one file that fetches nothing. What stands on it is `page`'s and `compare_report`'s business.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from o2o_results.errors import ResultsError
from o2o_results.report.vega import THEME

_ASSETS = resources.files("o2o_results.report") / "assets"


def asset(name: str) -> str:
    """The text of one file of `assets/`."""
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def vega_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script (0.9 MB); making it takes a moment, so it is kept."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script")


def embedded(value: Any) -> Markup:
    """JSON that may stand inside a <script> element: no `<` that could end it. Raises ValueError for NaN."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def render(template: str, *, title: str, embeds: Mapping[str, Any], **values: Any) -> str:
    """The page as text. `embeds` are JSON blocks by element id: chart specifications and map data."""
    environment = Environment(
        loader=FunctionLoader(asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["embedded"] = embedded
    own = {"style": asset("style.css"), "charts_js": asset("charts.js"), "map_js": asset("map.js")}
    return environment.get_template(template).render(
        title=title,
        embeds=embeds,
        theme=THEME,
        vega=Markup(vega_bundle()),
        **{name: Markup(text) for name, text in own.items()},
        **values,
    )


def save(text: str, out: Path) -> Path:
    """Write the page to `out`, or to `report.html` in it when it is a folder; whole or not at all.

    Raises ResultsError when that cannot be done.
    """
    path = out / "report.html" if out.is_dir() else out
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise ResultsError(f"{path}: the report cannot be written ({error.strerror})") from error
    return path
