"""YAML documents with the line of every field, so that an error can say where it is.

Decides how a file becomes plain data plus a map from field path to line; leaves what the fields mean to `schema`.
Rules: duplicate keys and non-string keys are errors; only plain YAML (safe) tags are accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from o2o_scenarios.errors import ScenarioError

FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a field was written: a file and a line (from 1), or the command line (line 0)."""

    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(slots=True)
class Document:
    """Plain data of one YAML mapping, and where each field of it stands."""

    data: dict[str, Any]
    origins: dict[FieldPath, Origin]

    def origin(self, path: FieldPath) -> Origin | None:
        """The place of a field, or of the nearest field above it."""
        for end in range(len(path), -1, -1):
            if found := self.origins.get(path[:end]):
                return found
        return None


def read_document(path: Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Raises ScenarioError naming file and line when it cannot be read, is not YAML, or repeats a key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read ({error.strerror or error})") from None
    return parse_document(text, str(path))


def parse_document(text: str, source: str) -> Document:
    """Parse YAML text; `source` stands for the file in messages. Raises ScenarioError."""
    try:
        return _parsed(text, source)
    except RecursionError:
        raise ScenarioError(f"{source}: nested too deeply, or an alias (`*name`) refers to itself") from None


def _parsed(text: str, source: str) -> Document:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ScenarioError(f"{source}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {str(error).splitlines()[0]}") from None
    if root is None:
        raise ScenarioError(f"{source}: the file is empty; a scenario needs at least `name:`")
    if not isinstance(root, yaml.MappingNode):
        raise ScenarioError(
            f"{source}:{root.start_mark.line + 1}: a scenario is a mapping of fields, e.g. `name: lunch`"
        )
    origins: dict[FieldPath, Origin] = {}
    data = _plain(root, (), source, origins)
    return Document(data, origins)


def _plain(node: yaml.Node, path: FieldPath, source: str, origins: dict[FieldPath, Origin]) -> Any:
    line = node.start_mark.line + 1
    origins.setdefault(path, Origin(source, line))
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ScenarioError(f"{source}:{key_line}: a field's name must be text")
            if key in result:
                raise ScenarioError(f"{source}:{key_line}: `{dotted((*path, key))}` is given twice")
            origins[(*path, key)] = Origin(source, key_line)
            result[key] = _plain(value_node, (*path, key), source, origins)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*path, index), source, origins) for index, child in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}:{line}: `{dotted(path)}`: {str(error).splitlines()[0]}") from None


def dotted(path: FieldPath) -> str:
    """A field path as the user writes it: `city.merchants.count`, `coupons[0].code`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text or "(top level)"
