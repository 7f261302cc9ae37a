"""Canonical JSON of rule inputs and outputs, so that two worlds' decisions can be logged and compared as text.

Decides the encoding: equal values give equal text, whatever the order of a mapping's or set's members. Leaves where
the log is kept (the run table `decisions`) to the worlds, and reading and replaying it to `rules`.

    dataclass             {"_": "ClassName", field: value, ...}
    StrEnum, str          string
    int, bool, None       as in JSON
    float                 shortest text that reads back to the same float; NaN and infinities are refused
    list, tuple           array
    mapping               object, when all keys are strings other than "_"; otherwise
                          {"_": "map", "items": [[key, value], ...]} sorted by the keys' JSON
    set, frozenset        array sorted by the members' JSON
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from o2o_domain.errors import DomainError


@dataclass(frozen=True, slots=True)
class Decision:
    """One call of a rule: its dotted name ("dispatch.choose_rider"), and its input and output as canonical JSON."""

    rule: str
    input: str
    output: str


def to_plain(value: Any) -> Any:
    """`value` as JSON-ready dicts, lists, strings and numbers. Raises DomainError for a type that has no encoding."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Enum):
        return to_plain(value.value)
    if isinstance(value, str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
        plain["_"] = type(value).__name__
        return plain
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and key != "_" for key in value):
            return {str(key): to_plain(item) for key, item in value.items()}
        pairs = [[to_plain(key), to_plain(item)] for key, item in value.items()]
        return {"_": "map", "items": sorted(pairs, key=lambda pair: _dump(pair[0]))}
    if isinstance(value, Set):
        return sorted((to_plain(item) for item in value), key=_dump)
    raise DomainError(f"a decision cannot hold a {type(value).__name__}")


def _dump(plain: Any) -> str:
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def to_json(value: Any) -> str:
    """Canonical JSON text of `value`. Raises DomainError for what cannot be encoded, NaN and infinities included.

    Worked: to_json(Refused("sold_out", "7")) == '{"_":"Refused","code":"sold_out","detail":"7"}'.
    """
    try:
        return _dump(to_plain(value))
    except ValueError as error:
        if isinstance(error, DomainError):
            raise
        raise DomainError(f"a decision cannot be written: {error}") from error


def record(rule: str, inputs: Mapping[str, Any], output: Any) -> Decision:
    """A log entry of calling `rule` with the keyword arguments `inputs`."""
    return Decision(rule, to_json(inputs), to_json(output))
