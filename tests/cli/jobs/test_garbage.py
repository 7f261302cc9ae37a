"""A server process settles its garbage once it has started."""

from __future__ import annotations

import subprocess
import sys


def test_what_was_made_at_the_start_is_not_looked_through_again() -> None:
    # In a process of its own: what is frozen stays so.
    code = (
        "import gc\nfrom o2o_cli.jobs import garbage\nkept = [[n] for n in range(1000)]\n"
        "before = gc.get_threshold()[0]\ngarbage.settle()\n"
        "assert not any(one is kept for one in gc.get_objects())\n"
        "assert gc.get_freeze_count() > 1000 and gc.get_threshold()[0] > before\n"
        "class Loop: pass\nloop = Loop(); loop.self = loop\n"
        "import weakref; gone = weakref.ref(loop); del loop; gc.collect(); assert gone() is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
