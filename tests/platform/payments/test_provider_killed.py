"""A provider that is killed -9 under load has lost nothing that it answered (G4)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from o2o_platform.payments.journal import Journal
from o2o_platform.payments.sandbox.books import Books
from o2o_platform.payments.signing import pay_url

pytestmark = pytest.mark.anyio

PROGRAM = """
import sys
from pathlib import Path
import uvicorn
from o2o_platform.payments.sandbox import create_sandbox
app = create_sandbox("http://127.0.0.1:9", "s", journal=Path(sys.argv[1]))
uvicorn.run(app, fd=int(sys.argv[2]), log_level="critical", timeout_graceful_shutdown=1)
"""


async def test_what_was_answered_is_in_the_books_after_a_kill(tmp_path: Path, anyio_backend: str) -> None:
    path = tmp_path / "provider.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        argv = [sys.executable, "-c", PROGRAM, str(path), str(listener.fileno())]
        process = await asyncio.to_thread(subprocess.Popen, argv, pass_fds=[listener.fileno()])
    try:
        answered: set[int] = set()
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:

            async def pay(start: int) -> None:
                number = start
                with contextlib.suppress(httpx.HTTPError):
                    while True:
                        answer: Any = await client.post(pay_url(url, "s", number, 100))
                        assert answer.status_code == 202
                        answered.add(number)
                        number += 8
                        if len(answered) == 300:  # while the others are in the middle of something
                            os.kill(process.pid, signal.SIGKILL)

            await asyncio.gather(*(pay(start) for start in range(1, 9)))
    finally:
        process.kill()
        process.wait()
    books = Books(Journal(path))
    assert len(answered) >= 300
    assert answered <= books.charges.keys()
    assert {charge.taken_fen for charge in books.charges.values()} == {100}
    numbers = [entry["seq"] for entry in books.page(0, 100_000)["charges"]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == len(books.charges)
    books.close()
