"""The live platform behind the actors' port: HTTP out, feeds in.

Decides how a call of an actor becomes a request and how an event of a feed becomes a message. The actors are those of
the model; only this adapter knows of HTTP. Order ids of the port are the trace's: the platform's are learned from the
orders' feed, whose `order_ref` is the idempotency key `intent-<id>`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpx
from simpy import Event, Store

from o2o_loadtest.config import LiveConfig
from o2o_loadtest.realtime import RealtimeEnvironment
from o2o_sim.port import (
    AppNotice,
    Assignment,
    Delivered,
    MerchantMessage,
    Reply,
    RiderMessage,
    TicketOnPaper,
    TicketWaiting,
    UserMessage,
    VoucherIssued,
    Withdrawn,
)

CONNECTIONS = 32
"""Requests under way at once; more wait here, as in the connection pool of a merchant's terminal."""


class LivePlatform:
    """Implements `o2o_sim.port.Platform` against a running platform. Call `feed_event` with every event of a feed."""

    def __init__(
        self,
        env: RealtimeEnvironment,
        config: LiveConfig,
        http: httpx.AsyncClient,
        *,
        user_of: Sequence[int],
        on_paid: Callable[[int, int], None] = lambda order_id, merchant_id: None,
    ) -> None:
        """`user_of` is the user of each intent; `on_paid(order_id, merchant_id)` is told of each paid takeout order."""
        self._user_of = user_of
        self._on_paid = on_paid
        self._env = env
        self._config = config
        self._ids = config.ids
        self._http = http
        self._gate = asyncio.Semaphore(CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._inboxes: dict[tuple[str, int], Store] = {}
        self._platform_order: dict[int, int] = {}
        self._intent_of: dict[int, int] = {}
        self._intent_of_no: dict[str, int] = {}
        self._paper_waiting: dict[str, list[tuple[int, int]]] = {}
        self._merchant_of = {platform_id: merchant for merchant, platform_id in config.ids.merchants.items()}
        self._rider_of = {platform_id: rider for rider, platform_id in config.ids.riders.items()}
        self._lead_of = {platform_id: lead for lead, platform_id in config.ids.leads.items()}
        self.state: dict[int, str] = {}
        """Latest state of each order the platform told of, by intent id."""
        self.requests: list[dict[str, Any]] = []
        """Rows of the run table `requests`, without their number."""

    # Merchants ------------------------------------------------------------------------------------------------------

    def accept(self, merchant_id: int, order_id: int) -> Event:
        return self._order_call(self._ids.merchant_tokens[merchant_id], "merchant", order_id, "accept")

    def reject(self, merchant_id: int, order_id: int, reason: str) -> Event:
        token = self._ids.merchant_tokens[merchant_id]
        return self._order_call(token, "merchant", order_id, "reject", {"reason": reason})

    def ready(self, merchant_id: int, order_id: int) -> Event:
        return self._order_call(self._ids.merchant_tokens[merchant_id], "merchant", order_id, "ready")

    def redeem(self, merchant_id: int, order_id: int) -> Event:
        event: Event = self._env.event()
        self._spawn(self._redeem(event, merchant_id, order_id))
        return event

    # The merchant's app ---------------------------------------------------------------------------------------------

    def next_ticket(self, merchant_id: int) -> Event:
        event: Event = self._env.event()
        self._spawn(self._next_ticket(event, merchant_id))
        return event

    def fetch_ticket(self, merchant_id: int, token: str) -> Event:
        event: Event = self._env.event()
        self._spawn(self._fetch_ticket(event, merchant_id, token))
        return event

    def ticket_result(self, merchant_id: int, token: str, code: str | None) -> Event:
        path = f"/merchants/{self._ids.merchants[merchant_id]}/tickets/{token}/result"
        name, keeper = "POST /merchants/{id}/tickets/{token}/result", self._ids.merchant_tokens[merchant_id]
        return self._call(keeper, "merchant", name, path, {"code": code})

    # Riders ---------------------------------------------------------------------------------------------------------

    def rider_online(self, rider_id: int, lat: float, lng: float, speed_kmh: float) -> Event:
        body = {"lat": lat, "lng": lng, "speed_kmh": speed_kmh}
        return self._call(
            self._ids.rider_tokens[rider_id], "rider", "POST /riders/me/online", "/riders/me/online", body
        )

    def rider_offline(self, rider_id: int) -> Event:
        event: Event = self._env.event()
        self._spawn(self._offline(event, self._ids.rider_tokens[rider_id]))
        return event

    def picked_up(self, rider_id: int, order_id: int) -> Event:
        return self._order_call(self._ids.rider_tokens[rider_id], "rider", order_id, "picked_up")

    def delivered(self, rider_id: int, order_id: int, lat: float, lng: float) -> Event:
        token = self._ids.rider_tokens[rider_id]
        return self._order_call(token, "rider", order_id, "delivered", {"lat": lat, "lng": lng})

    # Users ----------------------------------------------------------------------------------------------------------

    def review(self, user_id: int, order_id: int, stars: int) -> Event:
        return self._order_call(
            self._ids.user_tokens[user_id], "user", order_id, "review", {"stars": stars, "text": ""}
        )

    # BDs ------------------------------------------------------------------------------------------------------------

    def open_leads(self, bd_id: int, lat: float, lng: float, k: int) -> Event:
        path = f"/crm/leads/open?lat={lat}&lng={lng}&k={k}"
        return self._call(self._ids.bd_tokens[bd_id], "bd", "GET /crm/leads/open", path, None)

    def my_leads(self, bd_id: int) -> Event:
        return self._call(self._ids.bd_tokens[bd_id], "bd", "GET /crm/leads/mine", "/crm/leads/mine", None)

    def claim(self, bd_id: int, lead_id: int) -> Event:
        return self._lead_call(bd_id, lead_id, "claim", {})

    def visit(self, bd_id: int, lead_id: int, lat: float, lng: float, note: str) -> Event:
        return self._lead_call(bd_id, lead_id, "visits", {"lat": lat, "lng": lng, "note": note})

    def sign(self, bd_id: int, lead_id: int) -> Event:
        return self._lead_call(bd_id, lead_id, "contract", {})

    def extend(self, bd_id: int, lead_id: int) -> Event:
        return self._lead_call(bd_id, lead_id, "extend", {})

    # Inboxes --------------------------------------------------------------------------------------------------------

    def merchant_inbox(self, merchant_id: int) -> Store:
        return self._inbox("merchant", merchant_id)

    def app_inbox(self, merchant_id: int) -> Store:
        return self._inbox("app", merchant_id)

    def rider_inbox(self, rider_id: int) -> Store:
        return self._inbox("rider", rider_id)

    def users_inbox(self) -> Store:
        return self._inbox("users", 0)

    # From outside ---------------------------------------------------------------------------------------------------

    def paper(self, merchant_id: int, order_no: str, copy_no: int) -> None:
        """A ticket came out of a merchant's printer; the merchant reads its number."""
        intent = self._intent_of_no.get(order_no)
        if intent is None:  # the paper was faster than the feed
            self._paper_waiting.setdefault(order_no, []).append((merchant_id, copy_no))
        else:
            self._deliver("merchant", merchant_id, TicketOnPaper(intent, copy_no))

    def feed_event(self, event: dict[str, Any]) -> None:
        """An event of the orders' or riders' feed. Orders that are not of this run are none of its business."""
        intent = self._config.intent_of(event.get("order_ref"))
        if intent is None:
            return
        self._learn(intent, event)
        name = event["event"]
        if state := event.get("state"):
            self.state[intent] = str(state)
        if name == "pay" and event.get("kind") == "order":
            self._on_paid(intent, self._merchant_of[event["merchant_id"]])
        elif name == "deliver":
            self._deliver("users", 0, Delivered(intent))
        elif name == "issue":
            self._deliver("users", 0, VoucherIssued(intent))
        elif name == "escalated":
            merchant = self._merchant_of[event["merchant_id"]]
            self._deliver("merchant", merchant, AppNotice(intent, str(event.get("level") or "app")))
        elif name == "assigned":
            merchant = self._merchant_of[event["merchant_id"]]
            self._deliver("rider", self._rider_of[event["rider_id"]], Assignment(intent, merchant))
        elif name == "withdrawn":
            self._deliver("rider", self._rider_of[event["rider_id"]], Withdrawn(intent))

    def app_event(self, merchant_id: int, event: dict[str, Any]) -> None:
        """An event of the feed that a merchant's app follows with the merchant's own account."""
        intent = self._config.intent_of(event.get("order_ref"))
        if intent is not None and event["event"] == "queued":
            self._learn(intent, event)
            self._deliver("app", merchant_id, TicketWaiting(intent, self._env.wall_now()))

    @property
    def waiting(self) -> int:
        """Calls that have no answer yet."""
        return len(self._tasks)

    async def close(self) -> None:
        """Drop the calls still under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _learn(self, intent: int, event: dict[str, Any]) -> None:
        platform_id = int(event["order_id"])
        if intent not in self._platform_order:
            self._platform_order[intent] = platform_id
            self._intent_of[platform_id] = intent
        number = event.get("order_no")
        if number and number not in self._intent_of_no:
            self._intent_of_no[number] = intent
            for merchant_id, copy_no in self._paper_waiting.pop(number, ()):
                self._deliver("merchant", merchant_id, TicketOnPaper(intent, copy_no))

    def _inbox(self, kind: str, number: int) -> Store:
        key = (kind, number)
        if key not in self._inboxes:
            self._inboxes[key] = Store(self._env)
        return self._inboxes[key]

    def _deliver(
        self, kind: str, number: int, message: MerchantMessage | TicketWaiting | RiderMessage | UserMessage
    ) -> None:
        self._env.act(lambda: self._inbox(kind, number).put(message))

    def _order_call(self, token: str, actor: str, intent: int, verb: str, body: dict[str, Any] | None = None) -> Event:
        platform_id = self._platform_order.get(intent)
        name = f"POST /orders/{{id}}/{verb}"
        if platform_id is None:
            return self._call(token, actor, name, "", {}, intent)
        return self._call(token, actor, name, f"/orders/{platform_id}/{verb}", body or {}, intent)

    def _lead_call(self, bd_id: int, lead_id: int, verb: str, body: dict[str, Any]) -> Event:
        path = f"/crm/leads/{self._ids.leads[lead_id]}/{verb}"
        return self._call(self._ids.bd_tokens[bd_id], "bd", f"POST /crm/leads/{{id}}/{verb}", path, body)

    def _call(
        self, token: str, actor: str, name: str, path: str, body: dict[str, Any] | None, intent: int | None = None
    ) -> Event:
        event: Event = self._env.event()
        self._spawn(self._answer(event, token, actor, name, path, body, intent))
        return event

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _redeem(self, event: Event, merchant_id: int, order_id: int) -> None:
        """The user shows the voucher's code, the merchant scans it (A6)."""
        user, keeper = self._ids.user_tokens[self._user_of[order_id]], self._ids.merchant_tokens[merchant_id]
        path = f"/orders/{self._platform_order[order_id]}/voucher"
        shown = await self._send(user, "user", "GET /orders/{id}/voucher", path, None, order_id)
        if not shown.ok:
            self._env.enter(event, shown)
            return
        path = f"/vouchers/{shown.body['code']}/redeem"
        self._env.enter(event, await self._send(keeper, "merchant", "POST /vouchers/{code}/redeem", path, {}, order_id))

    async def _next_ticket(self, event: Event, merchant_id: int) -> None:
        """What the app shows first, under the trace's number of its order."""
        path = f"/merchants/{self._ids.merchants[merchant_id]}/tickets/next"
        name, keeper = "GET /merchants/{id}/tickets/next", self._ids.merchant_tokens[merchant_id]
        reply = await self._send(keeper, "merchant", name, path, None, None)
        if reply.status == 200:
            intent = self._config.intent_of(reply.body["order_ref"])
            assert intent is not None, "a merchant of this run has orders of this run only"
            self._learn(intent, dict(reply.body))
            reply = Reply(200, {"token": reply.body["token"], "order_id": intent})
        self._env.enter(event, reply)

    async def _fetch_ticket(self, event: Event, merchant_id: int, token: str) -> None:
        path = f"/merchants/{self._ids.merchants[merchant_id]}/tickets/{token}/fetch"
        name, keeper = "POST /merchants/{id}/tickets/{token}/fetch", self._ids.merchant_tokens[merchant_id]
        reply = await self._send(keeper, "merchant", name, path, {}, None)
        if reply.ok:
            reply = Reply(reply.status, {"job": base64.b64decode(reply.body["escpos"])})
        self._env.enter(event, reply)

    async def _offline(self, event: Event, token: str) -> None:
        """The platform takes a rider off shift at once and names the order that is still to be finished, if any."""
        name, path = "POST /riders/me/offline", "/riders/me/offline"
        reply = await self._send(token, "rider", name, path, {}, None)
        in_hand = reply.ok and reply.body.get("order_id") is not None
        self._env.enter(event, Reply(409, reply.body) if in_hand else reply)

    async def _answer(self, event: Event, *call: Any) -> None:
        self._env.enter(event, await self._send(*call))

    async def _send(
        self, token: str, actor: str, name: str, path: str, body: dict[str, Any] | None, intent: int | None
    ) -> Reply:
        intended = self._env.wall_now()
        if not path:  # an order this adapter has not heard of yet: nobody to ask, try again
            return Reply(0)
        decoded: Any = {}
        status, error, sent = 0, None, intended
        try:
            async with self._gate:
                sent = self._env.wall_now()
                response = await self._http.request(
                    "GET" if body is None else "POST", path, json=body, headers={"Authorization": f"Bearer {token}"}
                )
            status = response.status_code
            decoded = response.json() if response.content else {}
        except httpx.HTTPError as problem:
            error = type(problem).__name__
        except ValueError:
            error = "not JSON"
        if self._env.started:  # before, the clock stands: log-ins of the warm-up have no times
            self.requests.append(
                {
                    "order_id": intent,
                    "actor": actor,
                    "name": name,
                    "intended": intended,
                    "sent": sent,
                    "ended": self._env.wall_now() if status else None,
                    "status": status,
                    "ok": 200 <= status < 300,
                    "error": error or (None if 200 <= status < 300 else str(status)),
                }
            )
        if isinstance(decoded, dict) and isinstance(decoded.get("leads"), list):
            decoded = {"leads": [self._own_lead(lead) for lead in decoded["leads"] if lead["lead_id"] in self._lead_of]}
        return Reply(status, decoded if isinstance(decoded, dict) else {})

    def _own_lead(self, lead: dict[str, Any]) -> dict[str, Any]:
        return {**lead, "lead_id": self._lead_of[lead["lead_id"]]}
