"""C13: the k nearest open leads are those that a brute force over all of them finds."""

from __future__ import annotations

import random
from typing import Any

import pytest

from o2o_domain.geo import haversine_m

pytestmark = pytest.mark.anyio


async def test_nearest_equals_brute_force(team: Any) -> None:
    chance = random.Random(4)
    places = [(chance.uniform(30.5, 31.9), chance.uniform(120.7, 122.1)) for _ in range(400)]
    places += [(chance.uniform(-89, 89), chance.uniform(-180, 180)) for _ in range(60)]
    body = [
        {"ref": f"far-{i}", "name": "店", "lat": lat, "lng": lng, "source": "crowd"}
        for i, (lat, lng) in enumerate(places)
    ]
    made = (await team.world.admin.post("/crm/leads:bulk", body)).json()["leads"]
    known = {one["id"]: place for one, place in zip(made, places, strict=True)}
    known |= {lead: tuple(team.place(n).values()) for n, lead in enumerate(team.leads)}
    for lat, lng, k in [(31.2, 121.4, 5), (31.9, 122.1, 40), (0.0, 179.99, 7), (-88.0, -179.9, 9), (89.0, 10.0, 200)]:
        ranked = sorted(known, key=lambda lead: (haversine_m(lat, lng, *known[lead]), lead))
        found = (await team.bd.get("/crm/leads/open", lat=lat, lng=lng, k=k)).json()["leads"]
        assert [lead["lead_id"] for lead in found] == ranked[:k], (lat, lng)
