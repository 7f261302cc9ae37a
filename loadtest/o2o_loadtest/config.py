"""What the processes of a live run must agree on, as one JSON file in the run's folder.

Decides its fields. The orchestrator (`live`) writes it after the setup; the Locust process (`locustfile`) and the city
process (`city_process`) read it. It holds bearer tokens of synthetic accounts, so it is deleted when the run ends.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import msgspec

ENVIRONMENT_VARIABLE = "O2O_LOAD_CONFIG"
EPOCH_FILE = "live-epoch"


class IdMap(msgspec.Struct):
    """The scenario's ids -> the platform's ids, and the bearer tokens of those who act."""

    merchants: dict[int, int] = {}
    dishes: dict[int, int] = {}
    deals: dict[int, int] = {}
    coupons: dict[str, str] = {}
    leads: dict[int, int] = {}
    riders: dict[int, int] = {}
    bds: dict[int, int] = {}
    user_tokens: dict[int, str] = {}
    merchant_tokens: dict[int, str] = {}
    rider_tokens: dict[int, str] = {}
    bd_tokens: dict[int, str] = {}
    operator_token: str = ""


def write_epoch(folder: Path, epoch: float) -> None:
    """Tell when run second 0 is (unix time) to a process that waits for this file."""
    part = folder / f".{EPOCH_FILE}.part"
    part.write_text(repr(epoch), encoding="ascii")
    part.replace(folder / EPOCH_FILE)


def read_epoch(folder: Path) -> float | None:
    """The epoch, once it has been told."""
    try:
        return float((folder / EPOCH_FILE).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


class LiveConfig(msgspec.Struct):
    """One live run: where the platform is and who is who. `epoch` is unknown (0) until every process is ready."""

    base_url: str
    speed: float
    folder: str
    ids: IdMap
    epoch: float = 0.0
    """Unix time of run second 0."""
    prefix: str = ""
    """Begins every reference of this run, so that several runs can share one platform."""
    request_timeout_s: float = 30.0
    payment_faults: dict[int, tuple[str, float, int]] = {}
    """What becomes of some payments' callbacks, by intent: (kind, seconds late, fen beside the amount)."""
    pages: bool = False
    """Users look at the merchant's page as they order."""

    def order_ref(self, intent_id: int) -> str:
        """The idempotency key of an intent, which the platform keeps as the order's reference."""
        return f"{self.prefix}intent-{intent_id}"

    def intent_of(self, order_ref: str | None) -> int | None:
        """The intent behind an order's reference; None when the order is not of this run."""
        start = f"{self.prefix}intent-"
        if not order_ref or not order_ref.startswith(start):
            return None
        number = order_ref[len(start) :]
        return int(number) if number.isdigit() else None

    def write(self, path: Path) -> None:
        """Write the file, readable by its owner only."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file. Raises OSError or msgspec.ValidationError."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    @classmethod
    def from_environment(cls) -> Self:
        """The file that O2O_LOAD_CONFIG names. Raises KeyError when it is not set."""
        return cls.read(Path(os.environ[ENVIRONMENT_VARIABLE]))
