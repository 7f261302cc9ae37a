"""Merchants over HTTP: bulk, near me, menu, printer, dishes (G1, G2)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from o2o_domain.geo import haversine_m

pytestmark = pytest.mark.anyio


async def test_bulk_gives_ids_by_ref_and_twice_is_once(world: Any) -> None:
    body = [
        {"ref": f"m{i}", "name": f"店{i}", "lat": 30.0, "lng": 120.0, "open_min": 540, "close_min": 1320,
         "dishes": [{"ref": f"d{j}", "name": "面", "price_fen": 1000, "stock": 9} for j in range(3)],
         "printer": {"host": "127.0.0.1", "port": 9100 + i, "width": 32}}
        for i in range(5)
    ]  # fmt: skip
    made = await world.admin.post("/admin/merchants:bulk", body)
    assert made.status_code == 201
    merchants = made.json()["merchants"]
    assert [m["ref"] for m in merchants] == ["m0", "m1", "m2", "m3", "m4"]
    assert [d["ref"] for d in merchants[0]["dishes"]] == ["d0", "d1", "d2"]
    again = await world.admin.post("/admin/merchants:bulk", body)
    assert again.json() == made.json()
    assert len(await world.export("stock")) == 15
    user = await world.actor("consumer")
    assert (await user.post("/admin/merchants:bulk", body)).status_code == 403


async def test_one_merchant_by_an_operator_and_its_owner_by_ref(world: Any) -> None:
    operator, owner = await world.actor("operator"), await world.actor("merchant")
    body = {"ref": "solo", "name": "独", "lat": 30.0, "lng": 120.0, "owner_ref": owner.ref}
    made = await operator.post("/merchants", body)
    assert made.status_code == 201
    assert (await operator.post("/merchants", body)).json()["error"]["code"] == "ref_taken"
    printer = {"host": "10.0.0.9", "port": 9100, "width_cols": 48}
    path = f"/merchants/{made.json()['id']}/printer"
    assert (await owner.call("PUT", path, json=printer)).status_code == 200
    assert (await (await world.actor("merchant")).call("PUT", path, json=printer)).status_code == 403
    assert (await operator.call("PUT", "/merchants/99/printer", json=printer)).status_code == 404


async def test_a_printer_that_comes_by_itself_is_one_merchants_only(world: Any) -> None:
    """A14: it says only who it is, so that nobody else may say the same."""
    made = [await world.admin.post("/merchants", {"ref": ref, "name": ref, "lat": 30.0, "lng": 120.0}) for ref in "ab"]
    paths = [f"/merchants/{one.json()['id']}/printer" for one in made]
    printer = {"url": "cloudprnt://00:11:62:AA:BB:CC", "width_cols": 32, "secret": "kitchen-door"}
    answer = await world.admin.call("PUT", paths[0], json=printer)
    assert answer.status_code == 200
    assert answer.json()["url"] == "cloudprnt://001162aabbcc"
    assert "kitchen-door" not in answer.text
    assert (await world.admin.call("PUT", paths[0], json=printer)).status_code == 200, "its own again"
    refused = await world.admin.call("PUT", paths[1], json=printer)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "printer_taken")
    third = {"ref": "c", "name": "c", "lat": 30.0, "lng": 120.0, "printer": printer}
    assert (await world.admin.post("/merchants", third)).status_code == 409
    shared = {"url": "tcp://10.0.0.9:9100"}
    for path in paths:
        assert (await world.admin.call("PUT", path, json=shared)).status_code == 200
    assert (await world.admin.call("PUT", paths[1], json=printer)).status_code == 200, "it is free now"


@pytest.mark.parametrize(
    "change", [{"lat": 91}, {"ref": ""}, {"open_min": -1}, {"dishes": [{"ref": "a"}]}, {"what": 1},
               {"printer": {"host": "x", "port": 0}}, {"printer": {"host": "x", "port": 1, "width_cols": 40}},
               {"printer": {"host": "x"}}, {"printer": {}}, {"printer": {"url": "http://x"}},
               {"printer": {"url": "tcp://x:1", "host": "x", "port": 1}},
               {"printer": {"url": "epson://x", "secret": "short"}}]
)  # fmt: skip
async def test_bad_merchants_are_422_and_name_the_field(world: Any, change: dict[str, Any]) -> None:
    body = {"ref": "m", "name": "店", "lat": 30.0, "lng": 120.0, **change}
    answer = await world.admin.post("/merchants", body)
    assert answer.status_code == 422
    assert next(iter(change)) in answer.json()["error"]["detail"]


async def test_near_me_equals_brute_force(world: Any) -> None:
    """G1: locate; by the same distance that pricing uses."""
    dice = random.Random(7)
    places = {f"m{i}": (30 + dice.uniform(-0.05, 0.05), 120 + dice.uniform(-0.05, 0.05)) for i in range(120)}
    body = [{"ref": ref, "name": ref, "lat": lat, "lng": lng} for ref, (lat, lng) in places.items()]
    await world.admin.post("/admin/merchants:bulk", body)
    for radius in (200.0, 1500.0, 5000.0):
        lat, lng = 30 + dice.uniform(-0.04, 0.04), 120 + dice.uniform(-0.04, 0.04)
        found = await world.client.get("/merchants", params={"lat": lat, "lng": lng, "radius_m": radius, "limit": 200})
        distances = sorted((haversine_m(lat, lng, *place), ref) for ref, place in places.items())
        expected = [ref for metres, ref in distances if metres <= radius]
        assert [row["ref"] for row in found.json()["merchants"]] == expected
    assert (await world.client.get("/merchants", params={"lat": 30, "lng": 120, "radius_m": 0})).status_code == 422


async def test_a_merchant_changes_its_own_dishes_only(world: Any) -> None:
    """G2: price, stock, shelf; the menu shows it at once."""
    shop, other = await world.shop(("面", 1000, 5), ("汤", 500, 5)), await world.shop()
    path = f"/merchants/{shop.id}/dishes/{shop.dishes[0]}"
    assert (await shop.owner.call("PATCH", path, json={"price_fen": 1200, "stock": 2})).status_code == 200
    menu = (await world.client.get(f"/merchants/{shop.id}/menu")).json()["dishes"]
    assert [(d["name"], d["price_fen"], d["stock"]) for d in menu] == [("面", 1200, 2), ("汤", 500, 5)]
    assert (await shop.owner.call("PATCH", path, json={"on_shelf": False})).status_code == 200
    menu = (await world.client.get(f"/merchants/{shop.id}/menu")).json()["dishes"]
    assert [d["name"] for d in menu] == ["汤"]
    assert (await other.owner.call("PATCH", path, json={"price_fen": 1})).status_code == 403
    foreign = f"/merchants/{other.id}/dishes/{shop.dishes[0]}"
    assert (await other.owner.call("PATCH", foreign, json={"price_fen": 1})).status_code == 404
    assert (await shop.owner.call("PATCH", path, json={"stock": -1})).status_code == 422
    assert (await world.client.get("/merchants/999/menu")).status_code == 404
