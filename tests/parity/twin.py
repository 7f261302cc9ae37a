"""The platform's side of the parity tests: the real platform in process, set up like a model run, on a manual clock.

Every act of a recorded run is done again over HTTP at the same instant. What cannot be asked for from outside (a
deadline that passes) is the feature's own sweep, called at that instant; the sweeps never run by themselves here.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from o2o_loadtest.config import IdMap
from o2o_loadtest.setup import set_up
from o2o_platform.delivery.routes import give_up
from o2o_platform.payments.deadline import close_unpaid
from o2o_platform.settings import Settings

NEVER_S = 1e12
PAST_S = 1e-4
"""A deadline is looked at so much later than the model met it: both clocks are floats of different size."""
DEAD = "tcp://127.0.0.1:1"
"""Where no printer listens."""


def quiet(settings: Settings, **changes: Any) -> dict[str, Any]:
    """Settings under which nothing happens by itself."""
    return {
        "durable": False,
        "enforce_hours": False,
        "sweep_interval_s": NEVER_S,
        "reconcile_interval_s": NEVER_S,
        "pool_recycle_interval_s": NEVER_S,
        "token_ttl_s": NEVER_S,
        "print_max_attempts": 1,
        "admin_password": settings.admin_password,
        "jwt_secret": settings.jwt_secret,
        "provider_secret": settings.provider_secret,
        "database_url": settings.database_url,
        "redis_url": settings.redis_url,
        "redis_prefix": settings.redis_prefix,
        **changes,
    }


class _Bridge:
    """The setup's administrator: posts from its thread into the platform's loop."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()

    def post(self, path: str, json: Any) -> dict[str, Any]:
        asked = asyncio.run_coroutine_threadsafe(self._world.admin.post(path, json), self._loop)
        answer = asked.result(60.0)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


class Twin:
    """A platform that holds a recorded run's city. `play` does one act and returns (status, decoded body)."""

    def __init__(self, world: Any, recorded: Any, ids: IdMap) -> None:
        self.world = world
        self.ids = ids
        self.epoch = world.clock.now()
        self.orders: dict[int, dict[str, Any]] = {}
        """The answer to each order that was taken, by intent."""
        self._tokens: dict[str, str] = {}
        """The model's tokens of tickets -> the platform's."""
        self._recorded = recorded
        self._intents: dict[int, Any] = {intent.intent_id: intent for intent in recorded.trace.intents()}
        self._verb = {name: getattr(self, f"_{name}", None) for name in ("place", "callback", "unpaid", "no_rider")}

    @classmethod
    async def of(cls, world: Any, recorded: Any) -> Twin:
        """Set the platform up with the run's merchants, accounts, coupons, deals and leads."""
        apps = recorded.scenario.printing.age == "app_printer"
        printers = {
            merchant.merchant_id: f"app://m{merchant.merchant_id}" if apps else DEAD
            for merchant in recorded.city.merchants
        }
        bridge: Any = _Bridge(world)
        ids = await asyncio.to_thread(
            set_up, bridge, recorded.scenario, recorded.city, recorded.trace, printers, prefix=""
        )
        return cls(world, recorded, ids)

    async def play(self, act: Any) -> tuple[int, Any]:
        """Do `act` at its instant."""
        clock = self.world.clock
        clock.advance(max(self.epoch + act.at - clock.now(), 0.0))
        own = self._verb.get(act.verb)
        answer = await (own(*act.args) if own else getattr(self, f"_{act.verb}")(*act.args))
        return (answer.status_code, answer.json()) if isinstance(answer, httpx.Response) else (201, {})

    # What the platform meets --------------------------------------------------------------------------------------

    async def _place(self, number: int) -> httpx.Response:
        intent, ids = self._intents[number], self.ids
        path, body = "/orders", self._basket(intent)
        if intent.kind == "deal":
            path, body = f"/deals/{ids.deals[intent.deal_id]}/buy", {"qty": 1}
        if intent.pay_balance:
            body["pay_with"] = "balance"
        answer = await self._post(ids.user_tokens[intent.user_id], path, body, key=f"intent-{number}")
        if answer.is_success:
            self.orders[number] = answer.json()
        return answer

    def _basket(self, intent: Any) -> dict[str, Any]:
        ids = self.ids
        return {
            "merchant_id": ids.merchants[intent.merchant_id],
            "items": [{"dish_id": ids.dishes[dish], "qty": qty} for dish, qty in intent.items],
            "coupon_code": ids.coupons.get(intent.coupon_code or ""),
            "drop": {"lat": intent.drop_lat, "lng": intent.drop_lng, "address": "1号路口", "phone": "13800000000"},
            "note": intent.note,
        }

    async def _callback(self, number: int, outcome: str) -> None:
        payment = self.orders[number]["payment"]
        answer = await self.world.pay_client.post(payment["pay_url"], json={"outcome": outcome})
        assert answer.status_code == 202
        charge = self.world.provider.charges[payment["payment_id"]]
        while not charge.callbacks:  # noqa: ASYNC110 - the provider's books have no event to wait for
            await asyncio.sleep(0)

    async def _unpaid(self, number: int) -> None:
        self.world.clock.advance(PAST_S)
        await close_unpaid(self.world.app.state.ctx)

    async def _no_rider(self, number: int) -> None:
        self.world.clock.advance(PAST_S)
        await give_up(self.world.app.state.ctx)

    # What actors ask ------------------------------------------------------------------------------------------------

    async def _accept(self, merchant: int, number: int) -> httpx.Response:
        return await self._step(self.ids.merchant_tokens[merchant], number, "accept")

    async def _reject(self, merchant: int, number: int, reason: str) -> httpx.Response:
        return await self._step(self.ids.merchant_tokens[merchant], number, "reject", {"reason": reason})

    async def _ready(self, merchant: int, number: int) -> httpx.Response:
        return await self._step(self.ids.merchant_tokens[merchant], number, "ready")

    async def _redeem(self, merchant: int, number: int) -> httpx.Response:
        owner = self.ids.user_tokens[self._intents[number].user_id]
        shown = await self._get(owner, f"/orders/{self.orders[number]['order_id']}/voucher")
        path = f"/vouchers/{shown.json()['code']}/redeem"
        return await self._post(self.ids.merchant_tokens[merchant], path, {})

    async def _rider_online(self, rider: int, lat: float, lng: float, speed_kmh: float) -> httpx.Response:
        body = {"lat": lat, "lng": lng, "speed_kmh": speed_kmh}
        return await self._post(self.ids.rider_tokens[rider], "/riders/me/online", body)

    async def _rider_offline(self, rider: int) -> httpx.Response:
        """As the live port reads the answer: an order in hand is a no."""
        answer = await self._post(self.ids.rider_tokens[rider], "/riders/me/offline", {})
        in_hand = answer.is_success and answer.json().get("order_id") is not None
        return httpx.Response(409, json={"error": {"code": "assigned"}}) if in_hand else answer

    async def _picked_up(self, rider: int, number: int) -> httpx.Response:
        return await self._step(self.ids.rider_tokens[rider], number, "picked_up")

    async def _delivered(self, rider: int, number: int, lat: float, lng: float) -> httpx.Response:
        return await self._step(self.ids.rider_tokens[rider], number, "delivered", {"lat": lat, "lng": lng})

    async def _review(self, user: int, number: int, stars: int) -> httpx.Response:
        return await self._step(self.ids.user_tokens[user], number, "review", {"stars": stars, "text": ""})

    async def _open_leads(self, bd: int, lat: float, lng: float, k: int) -> httpx.Response:
        return await self._get(self.ids.bd_tokens[bd], f"/crm/leads/open?lat={lat}&lng={lng}&k={k}")

    async def _my_leads(self, bd: int) -> httpx.Response:
        return await self._get(self.ids.bd_tokens[bd], "/crm/leads/mine")

    async def _claim(self, bd: int, lead: int) -> httpx.Response:
        return await self._lead(bd, lead, "claim", {})

    async def _visit(self, bd: int, lead: int, lat: float, lng: float, note: str) -> httpx.Response:
        return await self._lead(bd, lead, "visits", {"lat": lat, "lng": lng, "note": note})

    async def _sign(self, bd: int, lead: int) -> httpx.Response:
        return await self._lead(bd, lead, "contract", {})

    async def _extend(self, bd: int, lead: int) -> httpx.Response:
        return await self._lead(bd, lead, "extend", {})

    async def _next_ticket(self, merchant: int) -> httpx.Response:
        """As the live port reads the answer: the token and the trace's number of the order."""
        answer = await self._get(self.ids.merchant_tokens[merchant], f"{self._shop(merchant)}/tickets/next")
        if answer.status_code == 204:
            return httpx.Response(204, json={})
        if not answer.is_success:
            return answer
        shown = answer.json()
        number = int(shown["order_ref"].removeprefix("intent-"))
        self._tokens[str(number)] = shown["token"]
        return httpx.Response(200, json={"token": str(number), "order_id": number})

    async def _fetch_ticket(self, merchant: int, token: str) -> httpx.Response:
        """As the live port reads the answer, its bytes aside: what is on paper is other tests' business."""
        answer = await self._post(
            self.ids.merchant_tokens[merchant],
            f"{self._shop(merchant)}/tickets/{self._tokens.get(token, 'o2o-0')}/fetch",
            {},
        )
        return (
            httpx.Response(200, json={"job": [line["text"] for line in answer.json()["lines"]]})
            if answer.is_success
            else answer
        )

    async def _ticket_result(self, merchant: int, token: str, code: str | None) -> httpx.Response:
        path = f"{self._shop(merchant)}/tickets/{self._tokens.get(token, 'o2o-0')}/result"
        return await self._post(self.ids.merchant_tokens[merchant], path, {"code": code})

    def _shop(self, merchant: int) -> str:
        return f"/merchants/{self.ids.merchants[merchant]}"

    # HTTP -----------------------------------------------------------------------------------------------------------

    async def _step(self, token: str, number: int, verb: str, body: Any = None) -> httpx.Response:
        return await self._post(token, f"/orders/{self.orders[number]['order_id']}/{verb}", body or {})

    async def _lead(self, bd: int, lead: int, verb: str, body: Any) -> httpx.Response:
        return await self._post(self.ids.bd_tokens[bd], f"/crm/leads/{self.ids.leads[lead]}/{verb}", body)

    async def _post(self, token: str, path: str, body: Any, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": key} if key else {})}
        answer: httpx.Response = await self.world.client.post(path, json=body, headers=headers)
        return answer

    async def _get(self, token: str, path: str) -> httpx.Response:
        answer: httpx.Response = await self.world.client.get(path, headers={"Authorization": f"Bearer {token}"})
        return answer
