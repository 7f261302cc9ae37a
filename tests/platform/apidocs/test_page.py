"""The API's page: it works without a network, and the description that it draws names every feature."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.anyio


async def test_the_page_asks_for_nothing_from_elsewhere(shared_world: Any) -> None:
    page = (await shared_world.client.get("/docs")).text
    assert "o2o reference platform" in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


async def test_the_description_behind_it_names_the_routes_of_all_features(shared_world: Any) -> None:
    paths = (await shared_world.client.get("/openapi.json")).json()["paths"]
    assert {"/orders", "/deals", "/crm/leads/{lead_id}/claim", "/coupons/{code}/claim", "/auth/token"} <= set(paths)
