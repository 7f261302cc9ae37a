"""What the hot routes of orders take, as msgspec Structs; a key that is not known is an error."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Text = Annotated[str, Meta(max_length=255)]


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """Pieces of one dish. The quantity's limits are the domain's (`pricing`)."""

    dish_id: int
    qty: int


class Drop(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the order goes, and the phone that the rider rings."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lng: Annotated[float, Meta(ge=-180, le=180)]
    address: Text = ""
    phone: Annotated[str, Meta(max_length=32)] = ""


class OrderBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /orders."""

    merchant_id: int
    items: Annotated[list[Item], Meta(max_length=200)]
    drop: Drop
    coupon_code: Annotated[str, Meta(max_length=32)] | None = None
    note: Text = ""
    pay_with: Literal["provider", "balance"] = "provider"


class PositionBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of a rider's steps: where the rider is; may be left out."""

    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    lng: Annotated[float, Meta(ge=-180, le=180)] | None = None


class ReasonBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of reject and cancel; may be left out."""

    reason: Annotated[str, Meta(max_length=64)] = ""


ORDER = msgspec.json.Decoder(OrderBody)
POSITION = msgspec.json.Decoder(PositionBody)
REASON = msgspec.json.Decoder(ReasonBody)
