"""Write a revision: `python -m o2o_platform.migrations "orders have a tip"`.

Compares the tables with what the revisions so far make of an empty SQLite file, and writes the difference into
versions/, to be looked over: triggers, sequences and what differs by database are written by hand.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from o2o_platform.migrations import config


def main(argv: list[str]) -> int:
    """Exit code 2 without a message."""
    if len(argv) != 1 or argv[0].startswith("-"):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    with tempfile.TemporaryDirectory() as folder, create_engine(f"sqlite:///{folder}/empty.db").begin() as conn:
        setup = config(conn)
        number = len(list(ScriptDirectory.from_config(setup).walk_revisions())) + 1
        command.upgrade(setup, "head")
        command.revision(setup, argv[0], autogenerate=True, rev_id=f"{number:04d}")
    print(f"written to {Path(__file__).parent / 'versions'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
