"""A reader of the platform's feeds (server-sent events) that resumes where it was cut.

Decides how lines become events and when to connect again. Follows the WHATWG HTML standard, section 9.2: an event ends
at an empty line, `id` is sent back as Last-Event-ID, lines that start with a colon are comments.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

RECONNECT_S = 0.5


class EventParser:
    """Turns lines into events; `last_id` is the cursor to resume from."""

    def __init__(self) -> None:
        self.last_id = ""
        self._name = ""
        self._data: list[str] = []
        self._id: str | None = None

    def line(self, line: str) -> tuple[str, str] | None:
        """Take one line without its ending; returns (event name, data) when it completes an event."""
        if not line:
            if self._id is not None:
                self.last_id = self._id
            event = (self._name or "message", "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        if line.startswith(":"):
            return None
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._id = value
        return None


class Feed:
    """Follows one feed and hands each event's data (a JSON object) to `on_event`, in order."""

    def __init__(
        self, http: httpx.AsyncClient, path: str, token: str, on_event: Callable[[dict[str, Any]], None]
    ) -> None:
        self._http = http
        self._path = path
        self._token = token
        self._on_event = on_event
        self._parser = EventParser()
        self.connected = asyncio.Event()
        self.reconnects = 0

    async def follow(self) -> None:
        """Read until cancelled; a cut connection is made again from the last event."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await self._read()
            self.reconnects += 1
            await asyncio.sleep(RECONNECT_S)

    async def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"}
        if self._parser.last_id:
            headers["Last-Event-ID"] = self._parser.last_id
        timeout = httpx.Timeout(10.0, read=None)
        async with self._http.stream("GET", self._path, headers=headers, timeout=timeout) as response:
            response.raise_for_status()
            self.connected.set()
            async for line in response.aiter_lines():
                if event := self._parser.line(line):
                    decoded = msgspec.json.decode(event[1])
                    if isinstance(decoded, dict):
                        self._on_event({"event": event[0], **decoded})
