"""From a name or path to a validated Scenario: catalogue (G7), `extends:`, overrides, one-line errors.

Decides where scenarios are looked up, how variants inherit, and how a validation error is told; leaves the fields to
`schema`. A mapping of an extending file is merged into the base's, anything else replaces it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from o2o_scenarios.document import Document, FieldPath, dotted, read_document
from o2o_scenarios.errors import ScenarioError, ScenarioNotFoundError
from o2o_scenarios.overrides import apply_override, parse_override
from o2o_scenarios.schema import Scenario

_PACKAGE = Path(__file__).resolve().parent
_KINDS = {"tuple_type": "input should be a list", "model_type": "input should be a mapping of fields"}
"""Types of errors that pydantic tells in Python's words."""

# In a wheel the catalogue lies inside the package; in a checkout it is the folder that the package stands in.
CATALOGUE = _PACKAGE / "catalogue" if (_PACKAGE / "catalogue").is_dir() else _PACKAGE.parent


def catalogue() -> dict[str, Path]:
    """The named scenarios that ship with the project: name -> file."""
    return {path.stem: path for path in sorted(CATALOGUE.glob("*.yaml"))}


def find(name_or_path: str) -> Path:
    """The file of a scenario given by catalogue name or by path. Raises ScenarioNotFoundError with a near match."""
    known = catalogue()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    looks_like_path = path.suffix in {".yaml", ".yml"} or len(path.parts) > 1
    if path.is_file():
        return path
    if name_or_path and path.is_dir():
        raise ScenarioNotFoundError(
            f"{name_or_path}: is a folder; a scenario is a YAML file or one of: {', '.join(known)}"
        )
    if looks_like_path:
        raise ScenarioNotFoundError(f"{name_or_path}: no such file")
    near = difflib.get_close_matches(name_or_path, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise ScenarioNotFoundError(f"no scenario is named `{name_or_path}`; {hint}known: {', '.join(known)}")


def load(name_or_path: str, overrides: Iterable[str] = (), *, seed: int | None = None) -> Scenario:
    """Load, merge, override and validate a scenario.

    `overrides` are texts like `demand.orders_per_hour=12000`. Raises ScenarioError with one line that names the file
    and line (or the override), the field, and what is allowed.
    """
    document = _read_with_bases(find(name_or_path), ())
    for text in overrides:
        path, value = parse_override(text)
        apply_override(document, path, value, f"--set {text}")
    if seed is not None:
        apply_override(document, ("seed",), seed, f"--seed {seed}")
    try:
        return Scenario.model_validate(document.data)
    except ValidationError as error:
        raise ScenarioError(_one_line(error, document)) from None


def scenario_hash(scenario: Scenario) -> str:
    """SHA-256 (hex) of the scenario's canonical JSON: equal hash, equal scenario."""
    canonical = json.dumps(scenario.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def json_schema() -> dict[str, Any]:
    """JSON Schema of a scenario file, for editors (`extends` included)."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Name or path (relative to this file) of the scenario that this one varies.",
    }
    return schema


def _read_with_bases(path: Path, seen: tuple[Path, ...]) -> Document:
    resolved = path.resolve()
    if resolved in seen:
        chain = " -> ".join(item.name for item in (*seen, resolved))
        raise ScenarioError(f"{path}: `extends` runs in a circle: {chain}")
    document = read_document(path)
    base_name = document.data.pop("extends", None)
    if base_name is None:
        return document
    if not isinstance(base_name, str):
        raise ScenarioError(f"{document.origin(('extends',))}: `extends` must be the name or path of one scenario")
    beside = path.parent / base_name
    if beside.is_file():
        base_path = beside
    elif beside.with_suffix(".yaml").is_file() and base_name not in catalogue():
        base_path = beside.with_suffix(".yaml")
    else:
        try:
            base_path = find(base_name)
        except ScenarioNotFoundError as error:
            raise ScenarioNotFoundError(f"{document.origin(('extends',))}: `extends`: {error}") from None
    base = _read_with_bases(base_path, (*seen, resolved))
    _merge(base, document, ())
    return base


def _merge(base: Document, over: Document, path: FieldPath) -> None:
    """Lay `over` onto `base` in place; the origins follow what was laid over."""
    base.origins[path] = over.origins[path]
    target: Any = base.data
    source: Any = over.data
    for part in path:
        target, source = target[part], source[part]
    for key, value in source.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(base, over, here)
            continue
        target[key] = value
        for known in [known for known in base.origins if known[: len(here)] == here]:
            del base.origins[known]
        base.origins.update({known: origin for known, origin in over.origins.items() if known[: len(here)] == here})


def _one_line(error: ValidationError, document: Document) -> str:
    """The first problem as one line; unknown keys come first, since they often explain what is missing."""
    problems = error.errors(include_url=False, include_context=True)
    problem = next((item for item in problems if item["type"] == "extra_forbidden"), problems[0])
    path: FieldPath = tuple(problem["loc"])
    origin = document.origin(path)
    where = f"{origin}: " if origin else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if problem["type"] == "extra_forbidden":
        names = _fields_at(path[:-1])
        near = difflib.get_close_matches(str(path[-1]), names, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        return f"{where}unknown field `{dotted(path)}`; {hint}allowed: {', '.join(names)}{more}"
    message = _KINDS.get(problem["type"], str(problem["msg"])).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = problem.get("input")
    shown = f", not {given!r}" if problem["type"] != "missing" and not isinstance(given, dict | list) else ""
    return f"{where}`{dotted(path)}`: {message}{shown}{more}"


def _fields_at(path: FieldPath) -> list[str]:
    """Names of the fields that the schema allows at a path."""
    model: type[BaseModel] | None = Scenario
    for part in path:
        if model is None or isinstance(part, int):
            continue
        info = model.model_fields.get(str(part))
        model = _model_in(info.annotation) if info else None
    return sorted(model.model_fields) if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model inside an annotation such as `tuple[CouponSpec, ...]` or `X | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if found := _model_in(argument):
            return found
    return None
