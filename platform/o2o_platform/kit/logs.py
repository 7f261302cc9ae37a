"""Structured logs: one canonical line for each request, run and attempt, and whatever the libraries say.

Decides the shape: a line is one JSON object (or text for a terminal) on standard error with `timestamp`, `level`,
`event` and the event's own fields; the standard library's loggers write in the same shape. Decides what is kept under
load: lines of requests are sampled, evenly (`sample` 0.01: every hundredth; 0: failures only), a failure of ours
(status 500 and above, but not 503, which is an answer like another when there is too much to do) always has its line.

The process's composition root calls `configure` once. The domain never logs; where logs are off nothing is done.
"""

from __future__ import annotations

import io
import logging
from typing import Any, Literal, TypeAlias

import msgspec
import structlog

Mode: TypeAlias = Literal["auto", "off", "json", "text"]
"""auto: JSON lines where the platform is made of several processes, else as if nobody had asked."""

STANDARD_ERROR = 2
"""The descriptor, not Python's object for it: a line is one write() and needs no flush."""

_encode = msgspec.json.Encoder(enc_hook=str).encode
_log: Any = None


def configure(mode: Mode, *, process: str = "") -> None:
    """Have this process's lines written from now on, and let each say which process it is of."""
    global _log  # one process, one standard error
    if mode not in ("json", "text"):
        _log = None
        return
    shared: list[Any] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    text = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    if mode == "json":
        structlog.configure(
            [*shared, structlog.processors.JSONRenderer(serializer=lambda value, **_: _encode(value))],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.BytesLoggerFactory(_standard_error()),
        )
    else:
        structlog.configure(
            [*shared, text],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.WriteLoggerFactory(_as_lines()),
        )
    _log = structlog.get_logger().bind(**({"process": process} if process else {}))
    last = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_as_text)]
        if mode == "json"
        else [text]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _named(process), *last],
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.PositionalArgumentsFormatter()],
    )
    handler = logging.StreamHandler(_as_lines())
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def on() -> bool:
    """Whether anybody would read a line."""
    return _log is not None


def line(event: str, **fields: Any) -> None:
    """One canonical line; nothing when logs are off. Fields that are None are left out."""
    if _log is not None:
        _log.info(event, **{name: value for name, value in fields.items() if value is not None})


class RequestLines:
    """The lines of requests, sampled."""

    def __init__(self, sample: float) -> None:
        self._sample = sample
        self._due = 1.0 - sample  # the first is kept, if any

    def wanted(self, status: int) -> bool:
        """Whether this request has a line."""
        if _log is None:
            return False
        if status >= 500 and status != 503:
            return True
        self._due += self._sample
        if self._due >= 1.0 and self._sample > 0.0:
            self._due -= 1.0
            return True
        return False


def _standard_error() -> Any:
    return io.FileIO(STANDARD_ERROR, "w", closefd=False)


def _as_lines() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(_standard_error()), encoding="utf-8", line_buffering=True)


def _as_text(value: Any, **_: Any) -> str:
    return _encode(value).decode()


def _named(process: str) -> Any:
    def add(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        if process:
            event["process"] = process
        return event

    return add
