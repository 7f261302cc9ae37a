"""What the terminal shows: progress of long work, tables, verdicts.

Decides looks only. Progress goes to standard error and only to a terminal or at a slow pace to a log; results go to
standard output, so that they can be piped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
piped = Console(highlight=False, width=1000)
err = Console(stderr=True, highlight=False)

LOG_EVERY_S = 10.0
_FIGURE = re.compile(r"[-+]?[\d.,]*%?( .*)?")


@contextmanager
def progress(what: str, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """Show how far long work is; yields a function that takes the share done, 0..1."""
    with phases(quiet=quiet) as report:
        yield lambda share: report(what, share)


@contextmanager
def phases(*, quiet: bool = False) -> Iterator[Callable[[str, float], None]]:
    """As `progress`, for work in several phases; yields a function that takes the phase and the share of it done."""
    if quiet:
        yield lambda what, share: None
        return
    if not err.is_terminal:
        yield _logged()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=min(max(share, 0.0), 1.0))


def _logged() -> Callable[[str, float], None]:
    last = time.monotonic()

    def report(what: str, share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= LOG_EVERY_S:
            last = time.monotonic()
            err.print(f"{what}: {share:.0%}")

    return report


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; columns of figures are right-aligned. Piped, a row is one line however long."""
    shown = Table(
        title=title, title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for number, column in enumerate(columns):
        figures = number > 0 and all(_FIGURE.fullmatch(row[number]) for row in rows)
        shown.add_column(column, justify="right" if figures else "left", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    (out if out.is_terminal else piped).print(shown)
