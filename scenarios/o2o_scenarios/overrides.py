"""Overrides: `demand.orders_per_hour=12000` changes one field of a scenario by its dotted name.

Decides the syntax; the value is YAML, so numbers, booleans, null and lists are written as in a scenario file.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from o2o_scenarios.document import Document, FieldPath, Origin
from o2o_scenarios.errors import ScenarioError

_PART = re.compile(r"([a-z_][a-z0-9_]*)((?:\[\d+\])*)$")


def parse_path(text: str) -> FieldPath:
    """`coupons[0].off_fen` -> ("coupons", 0, "off_fen"). Raises ScenarioError."""
    path: list[str | int] = []
    for part in text.split("."):
        match = _PART.match(part)
        if not match:
            raise ScenarioError(f"--set {text}: `{part}` is not a field name (write e.g. demand.orders_per_hour=12000)")
        path.append(match[1])
        path.extend(int(index) for index in re.findall(r"\d+", match[2]))
    return tuple(path)


def parse_override(text: str) -> tuple[FieldPath, Any]:
    """`a.b=value` -> (("a", "b"), value), the value read as YAML. Raises ScenarioError."""
    name, equals, raw = text.partition("=")
    if not equals or not name.strip():
        raise ScenarioError(f"--set {text}: write FIELD=VALUE, e.g. --set demand.orders_per_hour=12000")
    try:
        value = yaml.safe_load(raw) if raw.strip() else None
    except yaml.YAMLError:
        raise ScenarioError(f"--set {text}: the value is not valid YAML") from None
    return parse_path(name.strip()), value


def apply_override(document: Document, path: FieldPath, value: Any, label: str) -> None:
    """Set one field of a document in place, making the mappings on the way. Raises ScenarioError."""
    target: Any = document.data
    for depth, part in enumerate(path[:-1]):
        following = path[depth + 1]
        if isinstance(part, int):
            if not isinstance(target, list) or part >= len(target):
                raise ScenarioError(f"{label}: there is no item [{part}] to change")
            target = target[part]
        else:
            if not isinstance(target, dict):
                raise ScenarioError(f"{label}: `{part}` cannot be set below a plain value")
            target = target.setdefault(part, [] if isinstance(following, int) else {})
    last = path[-1]
    if isinstance(last, int):
        if not isinstance(target, list) or last >= len(target):
            raise ScenarioError(f"{label}: there is no item [{last}] to change")
        target[last] = value
    elif isinstance(target, dict):
        target[last] = value
    else:
        raise ScenarioError(f"{label}: `{last}` cannot be set below a plain value")
    for known in [known for known in document.origins if known[: len(path)] == path]:
        del document.origins[known]
    document.origins[path] = Origin(label, 0)
