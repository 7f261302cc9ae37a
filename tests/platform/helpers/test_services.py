"""A3: the helper services by themselves: what they answer, what they learn, what they remember, how they fall ill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from o2o_domain.risk import RiskPolicy
from o2o_platform.helpers.recommendation import Recommender
from o2o_platform.helpers.reviews import Reviews
from o2o_platform.helpers.risk import Risk
from o2o_platform.helpers.service import Knowledge, create_service

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(knowledge: Knowledge) -> AsyncIterator[httpx.AsyncClient]:
    app = create_service(knowledge)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://helper") as client,
    ):
        yield client


def order(user: int, key: str, at: float, amount_fen: int = 3000, address: str = "1号路口") -> dict[str, Any]:
    return {"user_id": user, "key": key, "at": at, "amount_fen": amount_fen, "address": address}


async def ask(client: httpx.AsyncClient, name: str, *questions: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.post(f"/{name}/ask", json=list(questions))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    assert len(found) == len(questions)
    return found


async def tell(client: httpx.AsyncClient, name: str, *events: dict[str, Any]) -> float:
    answer = await client.post(f"/{name}/events", json=list(events))
    assert answer.status_code == 200, answer.text
    return float(answer.json()["newest"])


async def test_risk_counts_a_users_orders_in_the_window() -> None:
    async with opened(Risk(policy=RiskPolicy(window_s=600.0))) as client:
        told = await ask(client, "risk", *(order(1, f"k{n}", 1000.0 + n) for n in range(8)))
        assert [answer["score"] for answer in told] == [0, 0, 0, 0, 10, 20, 30, 40]
        assert told[-1] == {"verdict": "review", "score": 40, "reasons": ["many_orders"]}
        (other,) = await ask(client, "risk", order(2, "k0", 1010.0))
        assert other["score"] == 0
        (later,) = await ask(client, "risk", order(1, "late", 2000.0))
        assert later["score"] == 0  # the window has passed


async def test_risk_denies_what_is_unusual_in_every_way_and_forgets_it() -> None:
    async with opened(Risk()) as client:
        await ask(client, "risk", *(order(1, f"k{n}", 1000.0) for n in range(7)))
        (denied,) = await ask(client, "risk", order(1, "much", 1001.0, 150_000, "2号路口"))
        assert denied == {"verdict": "deny", "score": 95, "reasons": ["huge", "many_orders", "new_address"]}
        (again,) = await ask(client, "risk", order(1, "k7", 1001.0, address="2号路口"))
        assert again["reasons"] == ["many_orders", "new_address"]  # the denied order made the address no better known
        assert again["score"] == 40 + 15


async def test_risk_says_the_same_of_the_same_order(tmp_path: Path) -> None:
    """The answer was lost, the user asks again: also of a service that was started anew."""
    async with opened(Risk(tmp_path / "risk.db")) as client:
        first = await ask(client, "risk", *(order(1, f"k{n}", 1000.0) for n in range(8)))
        assert await ask(client, "risk", order(1, "k7", 1000.0)) == first[-1:]
        assert await ask(client, "risk", order(1, "k0", 1000.0)) == first[:1]
    async with opened(Risk(tmp_path / "risk.db")) as client:
        assert await ask(client, "risk", order(1, "k7", 1000.0)) == first[-1:]
        (new,) = await ask(client, "risk", order(1, "k8", 1001.0))
        assert new["score"] == 50


def bought(order_id: int, user: int, merchant: int, *dishes: int) -> dict[str, Any]:
    return {"order_id": order_id, "user_id": user, "merchant_id": merchant, "dishes": dishes}


EATEN = [
    bought(1, 1, 10, 101, 102),
    bought(2, 2, 10, 102),
    bought(3, 1, 20, 201),
    bought(4, 2, 20, 201, 201),
    bought(5, 2, 30, 301),
    bought(6, 2, 10, 103, 102),
]


async def test_recommendation_counts_dishes_and_shared_users(tmp_path: Path) -> None:
    async with opened(Recommender(tmp_path / "r.db")) as client:
        assert await tell(client, "recommendation", *EATEN) == 6
        assert await tell(client, "recommendation", *EATEN[:3]) == 6  # told twice, learned once
        want = [
            {"dishes": [102, 101, 103], "merchants": [20, 30]},
            {"dishes": [201], "merchants": [10, 30]},
            {"dishes": [], "merchants": []},
        ]
        questions = [{"merchant_id": merchant} for merchant in (10, 20, 99)]
        assert await ask(client, "recommendation", *questions) == want
    async with opened(Recommender(tmp_path / "r.db")) as client:  # started anew
        assert await ask(client, "recommendation", *questions) == want
        assert await tell(client, "recommendation") == 6


async def test_reviews_count_stars(tmp_path: Path) -> None:
    told = [
        {"order_id": n, "merchant_id": 10, "stars": stars, "at": 100.0 + n} for n, stars in enumerate([5, 5, 4, 1, 9])
    ]
    async with opened(Reviews(tmp_path / "v.db")) as client:
        assert await tell(client, "reviews", *told, told[0]) == 103.0  # nine stars are none
    async with opened(Reviews(tmp_path / "v.db")) as client:
        assert await ask(client, "reviews", {"merchant_id": 10}, {"merchant_id": 11}) == [
            {"count": 4, "mean_stars": 3.75, "stars": [1, 0, 0, 1, 2]},
            {"count": 0, "mean_stars": None, "stars": [0, 0, 0, 0, 0]},
        ]


async def test_modes_make_it_ill_and_well_again() -> None:
    async with opened(Reviews()) as client:
        question = [{"merchant_id": 1}]
        await client.post("/control", json={"errors": True})
        assert (await client.post("/reviews/ask", json=question)).status_code == 500
        assert (await client.post("/reviews/events", json=[])).status_code == 500
        assert (await client.get("/healthz")).json() == {"status": "ok", "helper": "reviews"}
        await client.post("/control", json={"silent": True})
        with anyio.move_on_after(0.1) as waited:
            await client.post("/reviews/ask", json=question)
        assert waited.cancelled_caught
        await client.post("/control", json={"latency_s": 0.001})
        assert (await client.post("/reviews/ask", json=question)).status_code == 200
        assert (await client.post("/control", json={"latency": 1})).status_code == 422
        assert (await client.post("/control", json={})).json() == {"latency_s": 0.0, "errors": False, "silent": False}


async def test_what_is_no_question_is_422_and_changes_nothing() -> None:
    async with opened(Risk()) as client:
        assert (await client.post("/risk/ask", json=[{"user_id": 1}])).status_code == 422
        assert (await client.post("/risk/ask", content=b"{")).status_code == 422
        assert (await client.post("/risk/events", json=[])).status_code == 404  # it learns from what it is asked
        assert (await ask(client, "risk", order(1, "k", 1.0)))[0]["verdict"] == "allow"
