"""SQL that the two databases spell differently, once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement


class least(FunctionElement[Any]):  # noqa: N801  (a function of SQL)
    """The smallest of its arguments."""

    inherit_cache = True
    name = "least"

    def __init__(self, *columns: ColumnElement[Any]) -> None:
        super().__init__(*columns)
        self.type = columns[0].type


@compiles(least)
def _least(element: least, compiler: Any, **kw: Any) -> str:
    return f"least({compiler.process(element.clauses, **kw)})"


@compiles(least, "sqlite")
def _min(element: least, compiler: Any, **kw: Any) -> str:
    return f"min({compiler.process(element.clauses, **kw)})"
