"""A user's journey for one intent: place the order (or buy the deal), then pay for it at the provider.

Decides the requests, their names in the statistics and what is kept of each. Leaves when a journey starts to
`arrivals`. Latency of the whole journey counts from the intended time; each request's own time is kept beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

from o2o_loadtest.config import LiveConfig
from o2o_scenarios.trace import Intent

Post = Callable[..., Any]
"""Locust's `session.post(url, json=, headers=, name=)`; its response has `status_code` and `json()`."""
Get = Callable[..., Any]
"""Locust's `session.get(url, name=)`, alike."""


RETRY_PAUSES_S = (0.1, 0.5, 2.0)
"""Pauses before a request is made again."""


class Journal:
    """What the users saw: one row a request, one a journey. Times are run seconds."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.journeys: list[dict[str, Any]] = []


class Journeys:
    """Runs the journey of each intent of a trace against one platform."""

    def __init__(
        self,
        config: LiveConfig,
        intents: list[Intent],
        post: Post,
        get: Get,
        on_done: Callable[[str, float, str | None], None],
    ) -> None:
        self._config = config
        self._intents = intents
        self._post = post
        self._get = get
        self._on_done = on_done
        self.journal = Journal()

    def intended_s(self) -> list[float]:
        """Intended times in run seconds, in order."""
        return [intent.intended_s / self._config.speed for intent in self._intents]

    def run(self, index: int) -> None:
        """The journey of one intent, from the user's tap to the payment confirmed."""
        intent = self._intents[index]
        intended = intent.intended_s / self._config.speed
        row: dict[str, Any] = {
            "order_id": intent.intent_id,
            "intended": intended,
            "sent": self._now(),
            "outcome": "lost",
        }
        self.journal.journeys.append(row)
        if self._config.pages and intent.kind == "order":
            gevent.spawn(self._look, intent, intended)
        answer = self._place(intent, intended)
        error: str | None = None
        if answer is None:
            error = "no answer"
        elif "order_id" not in answer:
            row["outcome"] = "refused"
            row["reason"] = _error_code(answer)
        else:
            row["platform_order_id"] = answer["order_id"]
            row["outcome"] = "placed"
            row["pay_url"] = answer["payment"].get("pay_url")  # none: it was paid from the wallet
            if row["pay_url"] and not self._pay(intent, row["pay_url"], answer["total_fen"]):
                error = "payment not confirmed"
        self._on_done(f"{intent.kind}, from the intended time", self._now() - intended, error)

    def _place(self, intent: Intent, intended: float) -> dict[str, Any] | None:
        ids = self._config.ids
        body: dict[str, Any]
        if intent.kind == "deal":
            assert intent.deal_id is not None  # the trace's schema: a deal names its deal
            name, path = "POST /deals/{id}/buy", f"/deals/{ids.deals[intent.deal_id]}/buy"
            body = {"qty": 1}
        else:
            name, path = "POST /orders", "/orders"
            body = {
                "merchant_id": ids.merchants[intent.merchant_id],
                "items": [{"dish_id": ids.dishes[dish], "qty": qty} for dish, qty in intent.items],
                "coupon_code": ids.coupons.get(intent.coupon_code or ""),
                "drop": {
                    "lat": intent.drop_lat,
                    "lng": intent.drop_lng,
                    "address": f"{intent.drop_node}号路口",
                    "phone": f"138{intent.user_id:08d}",
                },
                "note": intent.note,
            }
        if intent.pay_balance:
            body["pay_with"] = "balance"
        headers = {
            "Authorization": f"Bearer {ids.user_tokens[intent.user_id]}",
            "Idempotency-Key": self._config.order_ref(intent.intent_id),
        }
        return self._request(intent, name, path, body, intended, headers)

    def _look(self, intent: Intent, intended: float) -> None:
        """The merchant's page, which the user sees as he orders; the order does not wait for it, nor ask again."""
        path = f"/merchants/{self._config.ids.merchants[intent.merchant_id]}/page"
        self._note(intent, "GET /merchants/{id}/page", intended, lambda name: self._get(path, name=name))

    def _pay(self, intent: Intent, pay_url: str, total_fen: int) -> bool:
        gevent.sleep(intent.pay_confirm_s)
        body: dict[str, Any] = {"outcome": "refused" if intent.pay_refused else "ok"}
        kind, late_s, beside_fen = self._config.payment_faults.get(intent.intent_id, ("", 0.0, 0))
        body["callback_s"] = intent.pay_callback_s + late_s
        changes: dict[str, dict[str, Any]] = {
            "lost": {"silent": True},
            "doubled": {"duplicates": 1},
            "amount_wrong": {"taken_fen": max(total_fen + beside_fen, 1)},
        }
        body |= changes.get(kind, {})
        return self._request(intent, "POST /pay/{id}", pay_url, body, self._now(), {}) is not None

    def _request(
        self, intent: Intent, name: str, path: str, body: dict[str, Any], intended: float, headers: dict[str, str]
    ) -> dict[str, Any] | None:
        """One request, made again after a pause while nobody answers or the platform is overloaded.

        That is safe: orders carry an idempotency key, and a provider charges a payment once. None: given up.
        """
        for pause_s in (*RETRY_PAUSES_S, None):
            response, answered = self._try(intent, name, path, body, intended, headers)
            if answered:
                decoded = response.json()
                return decoded if isinstance(decoded, dict) else {}
            if pause_s is not None:
                gevent.sleep(pause_s)
        return None

    def _try(
        self, intent: Intent, name: str, path: str, body: dict[str, Any], intended: float, headers: dict[str, str]
    ) -> tuple[Any, bool]:
        response = self._note(
            intent, name, intended, lambda name: self._post(path, json=body, headers=headers, name=name)
        )
        status = int(response.status_code or 0)
        return response, 200 <= status < 500 and status != 429

    def _note(self, intent: Intent, name: str, intended: float, send: Callable[[str], Any]) -> Any:
        """Send a request and write down what came of it; its response."""
        sent = self._now()
        response = send(name)
        status = int(response.status_code or 0)
        ok = 200 <= status < 300
        self.journal.requests.append(
            {
                "order_id": intent.intent_id,
                "actor": "user",
                "name": name,
                "intended": intended,
                "sent": sent,
                "ended": self._now() if status else None,
                "status": status,
                "ok": ok,
                "error": None if ok else (str(getattr(response, "error", "") or "") or str(status)),
            }
        )
        return response

    def _now(self) -> float:
        return time.time() - self._config.epoch


def _error_code(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    return str(error.get("code", "refused")) if isinstance(error, dict) else "refused"
