"""Signs of life in batches (A14)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from o2o_platform.errors import Unavailable
from o2o_platform.kit.context import context_of
from o2o_platform.printing.signs import CHUNK, NOTHING_SAID, Sign, Signs, forget, write
from o2o_platform.printing.tables import printer_signs

pytestmark = pytest.mark.anyio


async def rows(world: Any) -> list[tuple[Any, ...]]:
    statement = printer_signs.select().order_by(printer_signs.c.merchant_id)
    return [tuple(row) for row in await world.db(lambda conn: list(conn.execute(statement)))]


async def test_the_newest_sign_is_kept_whatever_the_order_of_writing(world: Any) -> None:
    database = context_of(world.app).db
    for sign in (Sign(10.0, "200 OK"), Sign(12.0, "410"), Sign(11.0, "200 OK")):
        await database.write(partial(write, signs=[(7, sign)]))
    assert await rows(world) == [(7, 12.0, "410", None)]


async def test_what_a_printer_said_of_itself_outlives_its_signs(world: Any) -> None:
    database = context_of(world.app).db
    signs = [Sign(1.0, "a", NOTHING_SAID), Sign(2.0, "b", '{"x":1}'), Sign(3.0, "c"), Sign(4.0, "d", NOTHING_SAID)]
    details = []
    for sign in signs:
        await database.write(partial(write, signs=[(7, sign)]))
        details.append((await rows(world))[0][3])
    assert details == [NOTHING_SAID, '{"x":1}', '{"x":1}', '{"x":1}']
    await database.write(lambda conn: forget(conn, 7, 5.0))
    assert await rows(world) == []


async def test_many_printers_are_written_in_few_units(world: Any) -> None:
    signs = Signs(context_of(world.app))
    for merchant_id in range(CHUNK + 5, 0, -1):
        signs.note(merchant_id, 1.0, "old")
        signs.note(merchant_id, 2.0, "200 OK")
    await signs.flush()
    await signs.flush()  # nothing is left
    assert signs.written == CHUNK + 5
    assert await rows(world) == [(number, 2.0, "200 OK", None) for number in range(1, CHUNK + 6)]


async def test_what_cannot_be_written_now_is_written_later(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    signs, database = Signs(context_of(world.app)), context_of(world.app).db

    async def away(*_: Any, **__: Any) -> None:
        raise Unavailable("database", "away")

    signs.note(1, 1.0, "one", '{"x":1}')
    signs.note(2, 1.0, "two", '{"y":2}')
    with monkeypatch.context() as patched:
        patched.setattr(database, "write", away)
        await signs.flush()
    signs.note(2, 2.0, "two again")
    await signs.flush()
    assert await rows(world) == [(1, 1.0, "one", '{"x":1}'), (2, 2.0, "two again", '{"y":2}')]


async def test_a_newer_sign_while_writing_fails_is_the_one_that_is_kept(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs, database = Signs(context_of(world.app)), context_of(world.app).db

    async def away(*_: Any, **__: Any) -> None:
        signs.note(1, 2.0, "meanwhile")
        raise Unavailable("database", "away")

    signs.note(1, 1.0, "one", '{"x":1}')
    with monkeypatch.context() as patched:
        patched.setattr(database, "write", away)
        await signs.flush()
    await signs.flush()
    assert await rows(world) == [(1, 2.0, "meanwhile", '{"x":1}')]
