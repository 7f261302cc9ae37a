"""Setup: makes the scenario's merchants, accounts, coupons, deals and leads on a platform, through its public API.

Decides which of the city's people a run needs (users only as far as they appear in the trace) and what they are called.
Every reference starts with the run's prefix, so several runs can share one platform. Accounts are synthetic: the
platform marks them so, and gives their tokens in the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from o2o_loadtest.attached import APP
from o2o_loadtest.config import IdMap
from o2o_loadtest.errors import TargetError
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.model import City

ACCOUNTS_AT_ONCE = 2_000
MERCHANTS_AT_ONCE = 100
LEADS_AT_ONCE = 500

T = TypeVar("T")


class AdminClient:
    """A logged-in administrator of the platform. Raises TargetError with one line for anything but a 2xx."""

    def __init__(self, base_url: str, password: str, *, username: str = "admin", timeout_s: float = 60.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(base_url=self.base_url, timeout=timeout_s, trust_env=False)
        answer = self.post("/auth/token", data={"username": username, "password": password})
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def post(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """POST and decode."""
        return self._send("POST", path, **kwargs)

    def get(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """GET and decode."""
        return self._send("GET", path, **kwargs)

    def lines(self, path: str) -> Iterator[bytes]:
        """GET newline-delimited JSON, line by line."""
        try:
            with self._http.stream("GET", path) as response:
                if response.status_code != 200:
                    response.read()
                    raise TargetError(f"{self.base_url}{path}: {_told(response)}")
                buffer = b""
                for chunk in response.iter_bytes():
                    *whole, buffer = (buffer + chunk).split(b"\n")
                    yield from (line for line in whole if line)
                if buffer:
                    yield buffer
        except httpx.HTTPError as error:
            raise TargetError(f"{self.base_url}{path}: {error or type(error).__name__}") from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **kwargs)
        except httpx.HTTPError as error:
            raise TargetError(f"{self.base_url}{path}: {error or type(error).__name__}") from error
        if not response.is_success:
            raise TargetError(f"{self.base_url}{path}: {_told(response)}")
        decoded = response.json()
        return decoded if isinstance(decoded, dict) else {"items": decoded}


def set_up(
    admin: AdminClient,
    scenario: Scenario,
    city: City,
    trace: Trace,
    printers: Mapping[int, str],
    *,
    prefix: str,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> IdMap:
    """Make everything the run needs; returns who is who.

    `printers` is merchant_id -> URL; names of apps are the run's own and get its prefix. Raises TargetError when the
    platform refuses something.
    """
    ids = IdMap()
    _merchants(admin, scenario, city, printers, prefix, ids, progress)
    _accounts(admin, city, trace, prefix, ids, progress)
    _wallets(admin, scenario, trace, prefix, progress)
    for coupon in scenario.coupons:
        ids.coupons[coupon.code] = (prefix.replace("-", "_").upper() + coupon.code)[:32]
        admin.post("/admin/coupons", json=[{**coupon.model_dump(mode="json"), "code": ids.coupons[coupon.code]}])
    _deals(admin, city, ids)
    _leads(admin, city, prefix, ids, progress)
    return ids


def _merchants(
    admin: AdminClient,
    scenario: Scenario,
    city: City,
    printers: Mapping[int, str],
    prefix: str,
    ids: IdMap,
    progress: Callable[[str, float], None],
) -> None:
    width_cols = 32 if scenario.printing.width == "58mm" else 48
    done = 0
    for chunk in _chunks(city.merchants, MERCHANTS_AT_ONCE):
        # The city's day may pass k times as fast as the platform's clock, so opening hours are kept by the trace.
        body = [
            {
                "ref": f"{prefix}m{merchant.merchant_id}",
                "name": merchant.name,
                "lat": merchant.lat,
                "lng": merchant.lng,
                "open_min": 0,
                "close_min": 1440,
                "dishes": [
                    {"ref": str(dish.dish_id), "name": dish.name, "price_fen": dish.price_fen, "stock": dish.stock}
                    for dish in merchant.menu
                ],
                "printer": {
                    "url": printers[merchant.merchant_id].replace(APP, f"{APP}{prefix}"),
                    "width_cols": width_cols,
                },
            }
            for merchant in chunk
        ]
        answer = admin.post("/admin/merchants:bulk", json=body)
        for merchant, made in zip(chunk, answer["merchants"], strict=True):
            ids.merchants[merchant.merchant_id] = made["id"]
            ids.dishes.update({int(dish["ref"]): dish["id"] for dish in made["dishes"]})
        done += len(chunk)
        progress("merchants", done / len(city.merchants))


def _accounts(
    admin: AdminClient, city: City, trace: Trace, prefix: str, ids: IdMap, progress: Callable[[str, float], None]
) -> None:
    users = {user.user_id: user for user in city.users}
    seen = sorted(set(trace.table.column("user_id").to_pylist()))
    managers = sorted({bd.manager for bd in city.bds})
    wanted: list[tuple[dict[int, str] | None, dict[int, int] | None, int, dict[str, Any]]] = [
        (None, None, 0, {"ref": f"{prefix}operator", "role": "operator", "name": "operator"})
    ]
    wanted += [(None, None, n, {"ref": f"{prefix}manager{n}", "role": "manager", "name": f"M{n}"}) for n in managers]
    wanted += [
        (
            ids.merchant_tokens,
            None,
            merchant.merchant_id,
            {
                "ref": f"{prefix}keeper{merchant.merchant_id}",
                "role": "merchant",
                "name": merchant.name,
                "merchant_ref": f"{prefix}m{merchant.merchant_id}",
            },
        )
        for merchant in city.merchants
    ]
    wanted += [
        (
            ids.rider_tokens,
            ids.riders,
            rider.rider_id,
            {"ref": f"{prefix}rider{rider.rider_id}", "role": "rider", "name": f"骑手{rider.rider_id}"},
        )
        for rider in city.riders
    ]
    wanted += [
        (
            ids.bd_tokens,
            ids.bds,
            bd.bd_id,
            {
                "ref": f"{prefix}bd{bd.bd_id}",
                "role": "bd",
                "name": bd.name,
                "manager_ref": f"{prefix}manager{bd.manager}",
            },
        )
        for bd in city.bds
    ]
    wanted += [
        (
            ids.user_tokens,
            None,
            user_id,
            {
                "ref": f"{prefix}user{user_id}",
                "role": "consumer",
                "name": f"用户{user_id}",
                "phone": f"138{user_id:08d}",
                "segment": users[user_id].segment,
            },
        )
        for user_id in seen
    ]
    done = 0
    for chunk in _chunks(wanted, ACCOUNTS_AT_ONCE):
        answer = admin.post("/admin/accounts:bulk", json=[body for _, _, _, body in chunk])
        for (tokens, platform_ids, number, body), made in zip(chunk, answer["accounts"], strict=True):
            if tokens is not None:
                tokens[number] = made["token"]
            if platform_ids is not None:
                platform_ids[number] = made["id"]
            if body["role"] == "operator":
                ids.operator_token = made["token"]
        done += len(chunk)
        progress("accounts", done / len(wanted))


def _wallets(
    admin: AdminClient, scenario: Scenario, trace: Trace, prefix: str, progress: Callable[[str, float], None]
) -> None:
    """Money in the users' wallets, if anybody pays from one."""
    spec = scenario.platform.payment
    users = sorted(set(trace.table.column("user_id").to_pylist())) if spec.balance_share else []
    done = 0
    for chunk in _chunks(users, ACCOUNTS_AT_ONCE):
        refs = [f"{prefix}user{user_id}" for user_id in chunk]
        body = [{"user_ref": ref, "amount_fen": spec.wallet_fen, "key": f"{ref}-before-the-run"} for ref in refs]
        admin.post("/admin/wallets:bulk", json=body)
        done += len(chunk)
        progress("wallets", done / len(users))


def _deals(admin: AdminClient, city: City, ids: IdMap) -> None:
    for deal in city.deals:
        body = {
            "ref": str(deal.deal_id),
            "merchant_id": ids.merchants[deal.merchant_id],
            "title": deal.title,
            "price_fen": deal.price_fen,
            "list_fen": deal.list_fen,
            "stock": deal.stock,
            # City time may be compressed, so the platform's clock gets the longer of the two.
            "valid_until": time.time() + 86_400.0 + deal.valid_until_s,
        }
        ids.deals[deal.deal_id] = admin.post("/deals", json=body)["deal_id"]


def _leads(admin: AdminClient, city: City, prefix: str, ids: IdMap, progress: Callable[[str, float], None]) -> None:
    done = 0
    for chunk in _chunks(city.leads, LEADS_AT_ONCE):
        body = [
            {
                "ref": f"{prefix}lead{lead.lead_id}",
                "name": lead.name,
                "lat": lead.lat,
                "lng": lead.lng,
                "source": lead.source,
            }
            for lead in chunk
        ]
        answer = admin.post("/crm/leads:bulk", json=body)
        ids.leads.update({lead.lead_id: made["id"] for lead, made in zip(chunk, answer["leads"], strict=True)})
        done += len(chunk)
        progress("leads", done / len(city.leads))


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _told(response: httpx.Response) -> str:
    """The platform's own words about a refusal, in one line."""
    try:
        error = response.json()["error"]
        return f"{response.status_code} {error['code']}: {error['detail']}"[:300]
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.text[:200]!r}"
