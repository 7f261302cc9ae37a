"""A sales team: a manager, two BDs below, a rival manager with a BD, and leads along a street."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

LAT, LNG = 21.20, 121.40
STREET = 0.1  # degrees of latitude between the streets of two teams
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
    number: int
    """Of the team: its leads are named after it, and lie on a street of their own."""

    def place(self, number: int) -> dict[str, float]:
        """Where lead `number` is."""
        return {"lat": LAT + STREET * self.number, "lng": LNG + STEP * number}

    def ref(self, number: int) -> str:
        """The ref of lead `number`."""
        return f"lead-{self.number}-{number}"

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
            {"ref": self.ref(start + i), "name": f"小店 {start + i}", **self.place(start + i), "source": "crawl"}
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
    made = Team(world, manager, bd, other, rival_manager, rival, [], next(world.numbers) % 100)
    await made.add(6)
    return made
