"""Somebody else's CloudPRNT client prints our tickets.

The client is cloudprnt-emulator (JavaScript, MIT, github.com/LinusU/cloudprnt-emulator: run, not copied). Of StarPRNT
it knows raster images only, so it is given what it knows: a raster whose dots are the bits of the ticket's text, and
the picture that it saves is read back. With the tickets that real printers take it says that it cannot (DELETE with
500), which is shown too. It is asked only where it is at hand:

    git clone https://github.com/LinusU/cloudprnt-emulator && cd cloudprnt-emulator && npm install --ignore-scripts
    O2O_CLOUDPRNT_EMULATOR=$PWD/index.js python -m pytest tests/platform/printing/protocols/test_cloudprnt_emulator.py
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from PIL import Image

from o2o_domain.ticket_layout import TicketOrder, parse
from o2o_platform.printing.media import text
from o2o_platform.printing.protocols.cloudprnt import MEDIA, STARPRNT

EMULATOR = os.environ.get("O2O_CLOUDPRNT_EMULATOR", "")
NODE = shutil.which("node")
MAC = "000000000000"  # what it calls itself where there is no en0

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not (EMULATOR and NODE), reason="no independent client: O2O_CLOUDPRNT_EMULATOR names no index.js"
    ),
]


def bits_of(order: TicketOrder, width_cols: Literal[32, 48], qr: str) -> bytes:
    """ESC GS S 1: a raster of 48 bytes a line."""
    data = text.render(order, width_cols, qr)
    lines = -(-len(data) // 48)
    return b"\x1b\x1dS\x01" + bytes([48, 0, lines & 255, lines >> 8, 0]) + data.ljust(48 * lines, b"\0")


def texts_in(folder: Path) -> list[str]:
    """Of the pictures, oldest first."""
    return [_text_in(picture) for picture in sorted(folder.glob("img-*.png"))]


def _text_in(picture: Path) -> str:
    with Image.open(picture) as image:
        return bytes(255 - byte for byte in image.convert("1").tobytes()).rstrip(b"\0").decode()


@asynccontextmanager
async def emulator(app: Any, folder: Path) -> AsyncIterator[None]:
    """The client, polling the app over a socket every second; its pictures come into the folder."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/cloudprnt?mac={MAC}"
        client = await asyncio.create_subprocess_exec(str(NODE), EMULATOR, url, "--poll-interval=1", cwd=folder)
        try:
            yield
        finally:
            client.terminate()
            await client.wait()
            server.should_exit = True
            await serving


async def settled(world: Any, eventually: Any, count: int) -> list[dict[str, Any]]:
    async def there() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await world.export("tickets")
        return rows if sum(row["state"] in ("printed", "failed") for row in rows) == count else []

    found: list[dict[str, Any]] = await eventually(there, limit_s=60.0)
    return found


async def test_it_prints_what_it_knows(
    world: Any, eventually: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A14: each of three orders is in one picture, and its ticket is printed."""
    monkeypatch.setitem(MEDIA, STARPRNT, bits_of)
    shop = await world.shop(("宫保鸡丁(微辣)", 1800, 9), printer={"url": f"cloudprnt://{MAC}", "width_cols": 48})
    orders = [await world.paid(await world.actor("consumer"), shop, qty=1 + n) for n in range(3)]
    async with emulator(world.app, tmp_path):
        rows = await settled(world, eventually, 3)
    assert [(row["state"], row["attempts"]) for row in rows] == [("printed", 1)] * 3
    read = [parse(printed.split("\n")) for printed in texts_in(tmp_path)]
    assert all(one.complete for one in read)
    assert [one.order_no for one in read] == [(await world.order_now(order))["order_no"] for order in orders]


async def test_what_it_does_not_know_fails_where_people_see_it(world: Any, eventually: Any, tmp_path: Path) -> None:
    shop = await world.shop(printer={"url": f"cloudprnt://{MAC}", "width_cols": 48})
    for _ in range(2):
        await world.paid(await world.actor("consumer"), shop)
    async with emulator(world.app, tmp_path):
        rows = await settled(world, eventually, 2)
    assert [(row["state"], row["code"], row["escalation"]) for row in rows] == [("failed", "star_500", "app")] * 2
    assert texts_in(tmp_path) == []
