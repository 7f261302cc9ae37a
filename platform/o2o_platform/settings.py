"""Every setting of the platform, read once in the composition root.

Decides names, units and defaults. Leaves what they mean to the features; features get them by `ctx.settings`, nobody
reads the environment. Durations are seconds on the platform's clock: whoever compresses time (a load run at speed k)
divides `dispatch_patience_s` and the `pool_..._days` before he passes them.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from o2o_domain.dispatch import DispatchPolicy
from o2o_domain.leads import CHECK_IN_RADIUS_M
from o2o_domain.pools import IDLE_DAYS
from o2o_domain.pricing import FeePolicy
from o2o_domain.tickets import PrintPolicy
from o2o_platform.errors import PlatformError


def _secret() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True, slots=True)
class Settings:
    """See the module. `from_env` reads O2O_<NAME IN CAPITALS> for each field."""

    database_url: str = "sqlite:///o2o.db"
    durable: bool = True
    """False switches synchronous=OFF: for tests only, a crash of the machine may lose what was acknowledged."""
    readers: int = 2
    """Threads that read (SQLite)."""
    connections: int = 8
    """To PostgreSQL, of one process, for units of work; the batches of the order path have one each besides."""
    redis_url: str = ""
    """Where the streams are, e.g. redis://127.0.0.1:6379/0: needed with postgresql://, unused with sqlite://."""
    redis_prefix: str = "o2o"
    """Begins the name of every Redis key of this platform."""
    stream_keep: int = 100_000
    """Entries that a Redis stream keeps at least; older ones are read back from the outbox."""
    outbox_keep_s: float = 6 * 3600.0
    """Events older than this are taken out of the outbox, once every reader has had them."""
    relay_poll_s: float = 0.05
    """How often the relay looks for events by itself; it is woken by NOTIFY before that."""
    consumer_idle_s: float = 10.0
    """Entries that a dispatcher has read and not acknowledged for so long are claimed by another."""
    max_deliveries: int = 5
    """An entry that was delivered so often and never dealt with goes to the dead letters."""

    order_queue: int = 2000
    """Orders (and callbacks) that wait for a batch, at most, in one process; beyond that the answer is 503."""
    order_batch: int = 128
    """Orders in one transaction at most."""
    reservation: Literal["together", "apart"] = "together"
    """Whether stock, coupon and balance are reserved in one local transaction, or each in its own (W10)."""

    risk_url: str = ""
    recommendation_url: str = ""
    reviews_url: str = ""
    """Helpers of the order path (A3); an empty URL: the built-in default answers."""
    helper_timeout_s: float = 0.1
    breaker_failures: int = 5
    """Failures in a row that open a helper's breaker (S11)."""
    breaker_open_s: float = 5.0
    """An open breaker lets a trial call through after this time."""

    reconcile_interval_s: float = 30.0
    """How often the provider's statement is pulled and compared (G11)."""
    reconcile_grace_s: float = 10.0
    """A payment is compared when the provider's entry is at least so old: its callback may still be on its way."""

    log: Literal["auto", "off", "json", "text"] = "auto"
    """Lines about requests, runs and attempts; auto: JSON with PostgreSQL, none with SQLite."""
    log_sample: float = 1.0
    """Share of the requests that have a line; our own failures always have one."""

    jwt_secret: str = field(default_factory=_secret, repr=False)
    token_ttl_s: float = 7 * 86400.0
    admin_password: str = field(default="", repr=False)
    """Password of the bootstrap admin `admin`; empty: one is made up and printed at start-up."""

    public_url: str = "http://127.0.0.1:8000"
    """Where the payment provider reaches this platform."""
    provider_url: str = "http://127.0.0.1:8001"
    """Where users pay and refunds are asked for."""
    provider_secret: str = field(default_factory=_secret, repr=False)
    """Shared with the payment provider: signs pay_url and callbacks (HMAC-SHA256)."""
    payment_deadline_s: float = 900.0
    """An order that is not paid by then is closed; stock and coupon go back."""
    timezone_offset_s: int = 8 * 3600
    """Of the city's clock from UTC, for opening hours and the time on the ticket."""
    enforce_hours: bool = True
    """False takes orders at any hour: a compressed or night-time run sets its own opening hours."""
    sweep_interval_s: float = 0.5
    """How often deadlines (unpaid orders, patience, tickets, pools) are looked for."""

    print_max_attempts: int = 5
    print_backoff_s: float = 2.0
    print_ack_timeout_s: float = 20.0
    print_deadline_s: float = 180.0
    print_connect_timeout_s: float = 3.0
    print_status_timeout_s: float = 2.0
    print_drain_s: float = 3.0
    """A platform that is told to end waits so long (on the wall) for the answers of tickets in hand."""
    print_logo: bool = False
    """Tickets on raw TCP begin with a picture: 5 kB more to send, 20 mm more paper, 0.1 s at 200 mm/s."""
    print_offer_s: float = 60.0
    """A ticket that was shown to a printer which comes by itself, and not taken, waits anew after this time."""
    print_result_s: float = 120.0
    """A ticket that such a printer (or a vendor's cloud) has taken is unconfirmed after this time without a result."""
    print_idle_s: float = 60.0
    """A printer's connection is closed after this time without a ticket."""
    printer_poll_s: float = 5.0
    """How often a printer that comes by itself is taken to come, until it has said so (Star's default)."""
    printer_sign_s: float = 5.0
    """Signs of life are written so often; at most printer_poll_s and 5 s more, or those who live look dead."""
    cloudprnt_delete_method: Literal["DELETE", "GET"] = "DELETE"
    """How Star printers report; GET where something on the way does not let DELETE through."""

    feie_url: str = ""
    """The one URL of Feie's open API; empty: no printer is behind it."""
    feie_user: str = ""
    feie_ukey: str = field(default="", repr=False)
    """The account's key: signs requests, and the URLs at which the cloud tells us."""
    yilianyun_url: str = ""
    """Of Yilianyun's open API, without a path; empty: no printer is behind it."""
    yilianyun_client_id: str = ""
    yilianyun_client_secret: str = field(default="", repr=False)
    """Signs requests and pushes."""
    yilianyun_access_token: str = field(default="", repr=False)
    vendor_timeout_s: float = 5.0
    """A vendor's cloud that has not answered within this time (on the wall) may have done what it was asked for."""
    vendor_poll_s: float = 15.0
    """A job that a vendor's cloud has taken is asked for when its callback has not come so long after."""

    mqtt_url: str = field(default="", repr=False)
    """The broker of printers on Star CloudPRNT over MQTT, e.g. mqtt://user:password@host:1883; empty: there is none."""
    mqtt_client: str = ""
    """Name of a dispatcher's session at the broker, its own for each process: results that come while it is away wait
    for it there. Empty: the only process is named by its database; of several, none keeps a session."""

    dispatch_rule: Literal["nearest", "least_loaded"] = "nearest"
    dispatch_max_radius_m: float = 6000.0
    dispatch_patience_s: float = 1800.0
    """An accepted order that has no rider after this time is cancelled and refunded."""

    delivery_base_fen: int = 300
    delivery_free_over_fen: int = 6000
    delivery_per_km_fen: int = 100
    delivery_free_km: float = 2.0
    commission_share: float = 0.1
    promise_s: float = 2700.0
    """Delivery is promised this long after the order was placed."""

    pool_quota: int = 40
    pool_term_days: float = 45.0
    pool_visit_days: float = 15.0
    pool_contract_days: float = 30.0
    pool_extension_days: float = 15.0
    pool_max_extensions: int = 1
    pool_extension_resets: str = "term"
    pool_idle_days: float = IDLE_DAYS
    """A private lead counts as idle so long after its last visit."""
    pool_recycle_interval_s: float = 60.0
    visit_radius_m: float = CHECK_IN_RADIUS_M
    """A BD checks in a visit at most this far from the store (C13)."""

    def __post_init__(self) -> None:
        """Raises PlatformError naming a setting of another type, or out of its range."""
        for item in fields(self):
            _check(item.name, str(item.type), getattr(self, item.name))

    @property
    def fees(self) -> FeePolicy:
        """Delivery fee and commission, as the domain takes them."""
        return FeePolicy(
            self.delivery_base_fen,
            self.delivery_free_over_fen,
            self.delivery_per_km_fen,
            self.delivery_free_km,
            self.commission_share,
        )

    @property
    def print_policy(self) -> PrintPolicy:
        """Attempts and times of printing, as the domain takes them."""
        return PrintPolicy(
            self.print_max_attempts, self.print_backoff_s, self.print_ack_timeout_s, self.print_deadline_s
        )

    @property
    def dispatch_policy(self) -> DispatchPolicy:
        """Which rider takes an order, as the domain takes it."""
        return DispatchPolicy(self.dispatch_rule, self.dispatch_max_radius_m)

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Settings from O2O_* variables over the defaults. Raises PlatformError naming a value that does not parse."""
        given: dict[str, object] = {}
        defaults = cls()
        for item in fields(cls):
            if (name := _variable(item.name)) in env:
                given[item.name] = _parse(env[name], getattr(defaults, item.name))
        return replace(defaults, **given)  # type: ignore[arg-type]


_CHOICES = {
    "cloudprnt_delete_method": ("DELETE", "GET"),
    "log": ("auto", "off", "json", "text"),
    "reservation": ("together", "apart"),
    "dispatch_rule": ("nearest", "least_loaded"),
    "pool_extension_resets": ("term", "all"),
}
_KINDS: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float)}
_LEAST = {
    "readers": 1,
    "connections": 1,
    "order_queue": 1,
    "order_batch": 1,
    "max_deliveries": 1,
    "print_max_attempts": 1,
    "timezone_offset_s": -86_400,
}
"""Smallest values allowed; of the other figures it is 0."""
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _variable(name: str) -> str:
    return f"O2O_{name.upper()}"


def _check(name: str, kind: str, value: object) -> None:
    wanted = ""
    if name in _CHOICES:
        wanted = "" if value in _CHOICES[name] else f"one of {', '.join(_CHOICES[name])}"
    elif kind not in _KINDS:
        wanted = "" if isinstance(value, str) else "text"
    elif not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
        wanted = {"bool": "true or false", "int": "a whole number", "float": "a number"}[kind]
    elif isinstance(value, int | float) and not _LEAST.get(name, 0) <= value < math.inf:
        wanted = f"{_LEAST.get(name, 0)} or more"
    if wanted:
        raise PlatformError("bad_setting", f"setting {name} ({_variable(name)}): must be {wanted}, not {value!r}")


def _parse(text: str, default: object) -> object:
    """The value that a variable's text stands for; text that stands for none is left to the check."""
    if isinstance(default, bool):
        return _TRUTHS.get(text.lower(), text)
    if isinstance(default, int | float):
        with contextlib.suppress(ValueError):
            return type(default)(text)
    return text
