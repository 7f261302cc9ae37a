"""C6 over real HTTP: uvicorn on a loopback port, hundreds of connections that claim at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from o2o_platform.app import create_app
from o2o_platform.settings import Settings

BDS = 200
QUOTA = 5


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The platform in a thread of its own, on a free port; yields its URL."""
    config = uvicorn.Config(create_app(settings), host="127.0.0.1", port=0, log_level="warning", backlog=1024)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        end = time.monotonic() + 30.0
        while not server.started:
            assert thread.is_alive(), "the platform ended"
            assert time.monotonic() < end, "the platform did not start"
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30.0)


@pytest.fixture
def platform(settings: Settings) -> Iterator[httpx.Client]:
    with (
        serving(replace(settings, pool_quota=QUOTA)) as url,
        httpx.Client(base_url=url, timeout=60.0) as client,
    ):
        form = {"username": "admin", "password": settings.admin_password}
        token = client.post("/auth/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def bulk(client: httpx.Client, bds: int, leads: int) -> tuple[list[dict[str, Any]], list[int]]:
    people = client.post("/admin/accounts:bulk", json=[{"ref": f"bd-{i}", "role": "bd"} for i in range(bds)])
    places = [{"ref": f"lead-{i}", "name": "小店", "lat": 31.0, "lng": 121.0 + i / 1000} for i in range(leads)]
    made = client.post("/crm/leads:bulk", json=places)
    return people.json()["accounts"], [lead["id"] for lead in made.json()["leads"]]


def claim_at_once(url: str, claims: list[tuple[str, int]]) -> list[httpx.Response]:
    """POST one claim per (token, lead), each on its own connection, all of them under way together."""

    async def run() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=len(claims))
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60.0) as client:
            return await asyncio.gather(
                *(
                    client.post(f"/crm/leads/{lead}/claim", headers={"Authorization": f"Bearer {token}"})
                    for token, lead in claims
                )
            )

    return asyncio.run(run())


def events(client: httpx.Client) -> list[dict[str, Any]]:
    return httpx.Response(200, content=b"[" + b",".join(_lines(client)) + b"]").json()  # type: ignore[no-any-return]


def _lines(client: httpx.Client) -> list[bytes]:
    return client.get("/admin/export/lead_events").content.splitlines()


def test_200_bds_claim_one_lead_and_exactly_one_gets_it(platform: httpx.Client) -> None:
    bds, (lead,) = bulk(platform, BDS, 1)
    answers = claim_at_once(str(platform.base_url), [(bd["token"], lead) for bd in bds])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: BDS - 1}
    lost = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json()["error"]["code"] for answer in lost} == {"already_owned"}
    winner = next(answer.json()["owner_id"] for answer in answers if answer.status_code == 200)
    assert platform.get(f"/crm/leads/{lead}").json()["owner_id"] == winner
    assert [(event["what"], event["owner"]) for event in events(platform)] == [("created", None), ("claimed", winner)]


def test_one_bd_on_60_connections_gets_the_lead_once(platform: httpx.Client) -> None:
    (bd,), (lead,) = bulk(platform, 1, 1)
    answers = claim_at_once(str(platform.base_url), [(bd["token"], lead)] * 60)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 59}
    assert len(platform.get("/crm/leads/mine", headers={"Authorization": f"Bearer {bd['token']}"}).json()["leads"]) == 1


def test_no_bd_is_above_quota_at_any_instant(platform: httpx.Client) -> None:
    bds, leads = bulk(platform, 4, 30)
    claims = [(bd["token"], lead) for lead in leads for bd in bds]
    answers = claim_at_once(str(platform.base_url), claims)
    assert Counter(answer.status_code for answer in answers) == {200: 4 * QUOTA, 409: len(claims) - 4 * QUOTA}
    held: Counter[int] = Counter()
    for event in events(platform):  # the append-only history, in order of commit
        if event["what"] == "claimed":
            held[event["owner"]] += 1
            assert held[event["owner"]] == event["owned"] <= QUOTA
    assert held == {bd["id"]: QUOTA for bd in bds}
