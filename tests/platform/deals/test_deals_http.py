"""A4, A6, A12 over HTTP: publish by rule, near me, buy without overselling, redeem exactly once, refund before that."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


WEEK = 7 * 86_400.0


async def publish(world: Any, shop: Any, **fields: Any) -> dict[str, Any]:
    answer = await try_publish(world, shop.owner, shop.id, **fields)
    assert answer.status_code == 201, answer.text
    deal: dict[str, Any] = answer.json()
    return deal


async def try_publish(world: Any, actor: Any, merchant_id: int, **fields: Any) -> httpx.Response:
    offer = {
        "merchant_id": merchant_id,
        "title": "双人火锅",
        "price_fen": 9900,
        "list_fen": 16800,
        "stock": 10,
        "valid_until": world.clock.now() + WEEK,
    }
    answer: httpx.Response = await actor.post("/deals", {**offer, **fields})
    return answer


async def buy(user: Any, deal: dict[str, Any], key: str = "k", **body: Any) -> httpx.Response:
    answer: httpx.Response = await user.post(f"/deals/{deal['deal_id']}/buy", body, headers={"Idempotency-Key": key})
    return answer


async def voucher(world: Any, user: Any, deal: dict[str, Any], **body: Any) -> dict[str, Any]:
    """A voucher, bought and paid."""
    bought = await buy(user, deal, **body)
    await world.pay_at_provider(bought)
    answer = await user.get(f"/orders/{bought.json()['order_id']}/voucher")
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_bad_deal_is_refused_by_rule(world: Any) -> None:
    shop = await world.shop()
    bad: list[tuple[dict[str, Any], str]] = [
        ({"price_fen": 16801}, "price_above_list"),
        ({"price_fen": 0}, "bad_price"),
        ({"title": "  "}, "no_title"),
        ({"stock": 0}, "no_stock"),
        ({"valid_until": 1.0}, "ended"),
    ]
    for wrong, code in bad:
        refused = await try_publish(world, shop.owner, shop.id, **wrong)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)


async def test_a_merchant_publishes_for_the_own_shop_only_an_operator_for_any(world: Any) -> None:
    shop, other = await world.shop(), await world.shop()
    assert (await try_publish(world, other.owner, shop.id)).status_code == 403
    operator = await world.actor("operator")
    assert (await try_publish(world, operator, shop.id)).status_code == 201
    assert (await try_publish(world, operator, 10**6)).status_code == 404


async def test_publishing_a_ref_again_keeps_the_deal(world: Any) -> None:
    shop = await world.shop()
    first, again = await publish(world, shop, ref="d1"), await publish(world, shop, ref="d1")
    assert first["deal_id"] == again["deal_id"]
    many = [{**{k: first[k] for k in ("merchant_id", "title", "price_fen", "list_fen", "valid_until")}, "stock": 5}] * 3
    made = await shop.owner.post("/deals:bulk", many)
    assert len({deal["deal_id"] for deal in made.json()["deals"]}) == 3


async def test_deals_near_me_are_sorted_and_limited(world: Any) -> None:
    shops = [await world.shop(lat=40.0 + 0.005 * i) for i in range(4)]
    for shop in reversed(shops):
        await publish(world, shop)
    ended = await publish(world, shops[0], valid_until=world.clock.now() + 5)
    world.clock.advance(10)
    found = (await world.client.get("/deals", params={"lat": 40.0, "lng": 120.0, "radius_m": 1200})).json()["deals"]
    assert [deal["merchant_id"] for deal in found] == [shop.id for shop in shops[:3]]
    assert [deal["distance_m"] for deal in found] == sorted(deal["distance_m"] for deal in found)
    assert ended["deal_id"] not in {deal["deal_id"] for deal in found}
    two = (await world.client.get("/deals", params={"lat": 40.0, "lng": 120.0, "limit": 2})).json()["deals"]
    assert [deal["merchant_id"] for deal in two] == [shop.id for shop in shops[:2]]


async def test_buying_is_an_order_of_kind_deal_and_paying_issues_the_voucher(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    deal = await publish(world, shop)
    bought = await buy(user, deal, qty=2)
    placed = bought.json()
    assert (placed["items_fen"], placed["total_fen"], placed["state"]) == (19800, 19800, "pending_payment")
    assert (await user.get(f"/orders/{placed['order_id']}/voucher")).status_code == 404
    await world.pay_at_provider(bought)
    order = await world.order_now(placed["order_id"])
    assert (order["kind"], order["state"], order["items"]) == ("deal", "issued", [])
    issued = (await user.get(f"/orders/{placed['order_id']}/voucher")).json()
    assert (issued["state"], issued["qty"], len(issued["code"])) == ("issued", 2, 12)
    assert [one["code"] for one in (await user.get("/vouchers/mine")).json()["vouchers"]] == [issued["code"]]
    assert (await user.get(f"/vouchers/{issued['code']}")).status_code == 200
    stranger = await world.actor("consumer")
    for path in (f"/vouchers/{issued['code']}", f"/orders/{placed['order_id']}/voucher"):
        assert (await stranger.get(path)).status_code == 404


async def test_the_same_key_buys_once(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    deal = await publish(world, shop)
    first, again = await buy(user, deal, "one"), await buy(user, deal, "one")
    assert first.json()["order_id"] == again.json()["order_id"]
    assert (await buy(user, deal, "one", qty=3)).status_code == 422
    assert (await user.post(f"/deals/{deal['deal_id']}/buy")).status_code == 422
    assert (await world.client.get(f"/deals/{deal['deal_id']}")).json()["left"] == 9


async def test_concurrent_buyers_never_oversell(world: Any) -> None:
    shop = await world.shop()
    deal = await publish(world, shop, stock=3)
    users = [await world.actor("consumer") for _ in range(12)]
    answers = await asyncio.gather(*(buy(user, deal) for user in users))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 9
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 409} == {"sold_out"}


async def test_senseless_quantities_are_422(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    deal = await publish(world, shop)
    for qty in (0, -1, 1000, "two"):
        assert (await buy(user, deal, qty=qty)).status_code == 422, qty


async def test_an_unpaid_purchase_gives_its_pieces_back(world: Any, eventually: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    deal = await publish(world, shop, stock=1)
    refused = await buy(user, deal, "refused")
    await world.pay_at_provider(refused, outcome="refused")
    assert (await world.order_now(refused.json()["order_id"]))["state"] == "payment_failed"
    unpaid = await buy(user, deal, "unpaid")
    assert unpaid.status_code == 201
    world.clock.advance(world.app.state.ctx.settings.payment_deadline_s + 1)

    async def closed() -> bool:
        world.clock.advance(1.0)
        state: str = (await world.order_now(unpaid.json()["order_id"]))["state"]
        return state == "closed"

    await eventually(closed)
    assert (await buy(user, deal, "third")).status_code == 201


async def test_one_voucher_by_phone_pos_and_qr_at_once_succeeds_exactly_once(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    code = (await voucher(world, user, await publish(world, shop), key="raced"))["code"]
    channels = ["phone", "pos", "qr"] * 10
    answers = await asyncio.gather(
        *(shop.owner.post(f"/vouchers/{code}/redeem", {"channel": channel}) for channel in channels)
    )
    won = [channel for channel, answer in zip(channels, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    lost = [answer for answer in answers if answer.status_code != 200]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in lost} == {(409, "already_redeemed")}
    row = next(row for row in await world.export("vouchers") if row["order_ref"] == "raced")
    assert (row["state"], row["redemptions"], row["channel"]) == ("redeemed", 1, won[0])
    assert (await world.order_now(row["order_id"]))["state"] == "redeemed"


async def test_every_channel_redeems_and_no_other(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    deal = await publish(world, shop)
    for channel in ("phone", "pos", "qr"):
        code = (await voucher(world, user, deal, key=channel))["code"]
        assert (await shop.owner.post(f"/vouchers/{code}/redeem", {"channel": "pigeon"})).status_code == 422
        answer = await shop.owner.post(f"/vouchers/{code}/redeem", {"channel": channel})
        assert (answer.status_code, answer.json()["channel"]) == (200, channel)


async def test_only_the_merchant_of_the_deal_redeems(world: Any) -> None:
    shop, other, user = await world.shop(), await world.shop(), await world.actor("consumer")
    code = (await voucher(world, user, await publish(world, shop)))["code"]
    wrong = await other.owner.post(f"/vouchers/{code}/redeem")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "wrong_merchant")
    assert (await user.post(f"/vouchers/{code}/redeem")).status_code == 403
    assert (await shop.owner.post("/vouchers/000000000000/redeem")).status_code == 404


async def test_refund_before_redemption_gives_money_and_piece_back(world: Any, eventually: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    deal = await publish(world, shop, stock=1)
    issued = await voucher(world, user, deal)
    refunded = await user.post(f"/vouchers/{issued['code']}/refund")
    assert (refunded.status_code, refunded.json()["state"]) == (200, "refunded")
    order = await world.order_now(issued["order_id"])
    assert (order["state"], order["refunded_fen"]) == ("refunded", 9900)
    payments = await world.export("payments")
    payment_id = next(row["payment_id"] for row in payments if row["order_id"] == issued["order_id"])

    async def given_back() -> bool:
        charged = [charge for charge in world.provider.charges.values() if charge.payment_id == payment_id]
        return [charge.refunded_fen for charge in charged] == [9900]

    await eventually(given_back)
    after = await shop.owner.post(f"/vouchers/{issued['code']}/redeem")
    assert (after.status_code, after.json()["error"]["code"]) == (409, "refunded")
    assert (await user.post(f"/vouchers/{issued['code']}/refund")).status_code == 409
    assert (await buy(user, deal, "again")).status_code == 201


async def test_refund_after_redemption_is_refused(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    code = (await voucher(world, user, await publish(world, shop)))["code"]
    stranger = await world.actor("consumer")
    assert (await stranger.post(f"/vouchers/{code}/refund")).status_code == 404
    await shop.owner.post(f"/vouchers/{code}/redeem")
    refused = await user.post(f"/vouchers/{code}/refund")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "already_redeemed")


async def test_an_expired_voucher_is_not_redeemed_but_refunded(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    code = (await voucher(world, user, await publish(world, shop)))["code"]
    world.clock.advance(WEEK + 1)
    late = await shop.owner.post(f"/vouchers/{code}/redeem")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "expired")
    assert (await user.post(f"/vouchers/{code}/refund")).status_code == 200


async def test_the_ledger_balances_over_redeemed_and_refunded(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    deal = await publish(world, shop)
    first = await voucher(world, user, deal)
    bought = await buy(user, deal, "two")
    await world.pay_at_provider(bought)
    second = (await user.get(f"/orders/{bought.json()['order_id']}/voucher")).json()
    await shop.owner.post(f"/vouchers/{first['code']}/redeem")
    await user.post(f"/vouchers/{second['code']}/refund")
    ours = {first["order_id"], second["order_id"]}
    entries = [entry for entry in await world.export("ledger") if entry["order_id"] in ours]
    assert sum(entry["amount_fen"] for entry in entries) == 0
    clearing = sum(entry["amount_fen"] for entry in entries if entry["account"] == "provider_clearing")
    assert clearing == 9900
    assert [e["reason"] for e in entries if e["account"] == f"merchant_settled:{shop.id}"] == ["settled"]


async def test_a_deal_paid_from_the_balance_is_issued_at_once_and_refunded_into_it(world: Any) -> None:
    """W10: the wallet is the branch that a deal reserves."""
    shop, user = await world.shop(), await world.actor("consumer")
    offer = {"merchant_id": shop.id, "title": "双人餐", "price_fen": 6000, "list_fen": 9000, "stock": 5}
    deal = (await shop.owner.post("/deals", {**offer, "valid_until": world.clock.now() + 1e6})).json()["deal_id"]
    await world.admin.post("/admin/wallets:bulk", [{"user_id": user.id, "amount_fen": 7000, "key": f"d{user.id}"}])

    async def buy(key: str) -> Any:
        return await user.post(f"/deals/{deal}/buy", {"pay_with": "balance"}, headers={"Idempotency-Key": key})

    bought, again, poor = await buy("a"), await buy("a"), await buy("b")
    assert (bought.json()["state"], again.json()["order_id"]) == ("issued", bought.json()["order_id"])
    assert (poor.status_code, poor.json()["error"]["code"]) == (409, "insufficient_balance")
    order_id = bought.json()["order_id"]
    fences = [row for row in await world.export("reservations") if row["order_id"] == order_id]
    assert [(row["branch"], row["state"]) for row in fences] == [("balance", "confirmed")]
    voucher = (await user.get(f"/orders/{order_id}/voucher")).json()["code"]
    assert (await user.get("/wallet")).json()["balance_fen"] == 1000
    assert (await user.post(f"/vouchers/{voucher}/refund")).status_code == 200
    assert (await user.get("/wallet")).json() == {"user_id": user.id, "balance_fen": 7000, "held_fen": 0}
    assert (await user.get(f"/deals/{deal}")).json()["left"] == 5
