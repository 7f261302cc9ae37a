"""A sales team: a manager, two BDs below, a rival manager with a BD, and leads along a street."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

LAT, LNG = 31.20, 121.40
STEP = 0.002  # degrees of longitude between neighbours: about 190 m


@dataclass
class Team:
    world: Any
    manager: Any
    bd: Any
    other: Any
    rival_manager: Any
    rival: Any
    leads: list[int]

    def place(self, number: int) -> dict[str, float]:
        """Where lead `number` is."""
        return {"lat": LAT, "lng": LNG + STEP * number}

    async def visit(self, bd: Any, number: int, **fields: Any) -> Any:
        return await bd.post(f"/crm/leads/{self.leads[number]}/visits", {**self.place(number), **fields})

    async def act(self, actor: Any, number: int, what: str, body: Any = None) -> Any:
        return await actor.post(f"/crm/leads/{self.leads[number]}/{what}", body)

    async def owner(self, number: int) -> int | None:
        """Who holds the lead, after a recycle."""
        assert (await self.world.admin.post("/crm/recycle")).status_code == 200
        owner: int | None = (await self.world.admin.get(f"/crm/leads/{self.leads[number]}")).json()["owner_id"]
        return owner

    async def history(self, number: int) -> list[dict[str, Any]]:
        answer = await self.world.admin.get(f"/crm/leads/{self.leads[number]}/history")
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    async def add(self, count: int) -> None:
        start = len(self.leads)
        body = [
            {"ref": f"lead-{start + i}", "name": f"小店 {start + i}", **self.place(start + i), "source": "crawl"}
            for i in range(count)
        ]
        made = await self.world.admin.post("/crm/leads:bulk", body)
        assert made.status_code == 201, made.text
        self.leads += [one["id"] for one in made.json()["leads"]]


@pytest.fixture
async def team(world: Any) -> Team:
    manager = await world.actor("manager")
    rival_manager = await world.actor("manager")
    bd = await world.actor("bd", manager_ref=manager.ref)
    other = await world.actor("bd", manager_ref=manager.ref)
    rival = await world.actor("bd", manager_ref=rival_manager.ref)
    made = Team(world, manager, bd, other, rival_manager, rival, [])
    await made.add(6)
    return made
