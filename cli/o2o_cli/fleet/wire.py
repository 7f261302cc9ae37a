"""Between a fleet's parent and its parts: questions and answers, a line of JSON each, over a pair of sockets.

Decides how a question finds its answer (by number) and how a mistake travels: with its class, so that the parent raises
what the part raised.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from o2o_devices.errors import ControlError, DeviceError, FleetError

_LINE_BYTES = 1 << 24
_ERRORS: dict[str, type[DeviceError]] = {"ControlError": ControlError, "FleetError": FleetError}
Ask = Callable[[str, Mapping[str, Any]], Any]
"""(name, arguments) -> the answer, as plain values; raises DeviceError."""
Call = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""The same from elsewhere."""


async def answer(sock: socket.socket, ask: Ask) -> None:
    """A part's end: answer until the parent is gone."""
    reader, writer = await asyncio.open_connection(sock=sock, limit=_LINE_BYTES)
    try:
        while line := await reader.readline():
            question = json.loads(line)
            told: dict[str, Any] = {"id": question["id"]}
            try:
                told["value"] = ask(question["name"], question["args"])
            except DeviceError as error:
                told["error"] = [type(error).__name__, str(error)]
            writer.write(json.dumps(told).encode() + b"\n")
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


class Wire:
    """The parent's end. `call` may be used by many at once."""

    def __init__(self) -> None:
        self.mine, self.theirs = socket.socketpair()
        self.mine.setblocking(False)
        self.theirs.setblocking(False)
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self, first: bytes) -> None:
        """Say `first`, with its length in 4 bytes before it; from then on questions are answered."""
        reader, self._writer = await asyncio.open_connection(sock=self.mine, limit=_LINE_BYTES)
        self._writer.write(len(first).to_bytes(4, "big") + first)
        self._reading = asyncio.create_task(self._read(reader))

    async def call(self, name: str, args: Mapping[str, Any]) -> Any:
        """Ask, and wait for the answer. Raises what the part raised; FleetError when it is gone."""
        if self._writer is None or self._reading is None or self._reading.done():
            raise FleetError("that part of the fleet is gone")
        number = next(self._numbers)
        told = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"id": number, "name": name, "args": args}).encode() + b"\n")
        try:
            return await told
        finally:
            del self._waiting[number]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                told = json.loads(line)
                future = self._waiting.get(told["id"])
                if future is None or future.done():
                    continue
                if "error" in told:
                    kind, message = told["error"]
                    future.set_exception(_ERRORS.get(kind, DeviceError)(message))
                else:
                    future.set_result(told["value"])
        except ConnectionError:
            pass
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(FleetError("that part of the fleet is gone"))

    def close(self) -> None:
        """Nothing more is asked; the part, if there is one, ends."""
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            self._writer.close()
        else:
            self.mine.close()
        self.theirs.close()
