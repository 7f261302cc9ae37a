"""What the merchants' routes take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from o2o_domain.printers import PrinterAddress, printer_address, tcp_url
from o2o_domain.refusal import Refused

Name = Annotated[str, Field(min_length=1, max_length=128)]
Ref = Annotated[str, Field(min_length=1, max_length=64)]
Fen = Annotated[int, Field(ge=0, le=10_000_000)]
Stock = Annotated[int, Field(ge=0, le=100_000_000)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


class Body(BaseModel):
    """Base: a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid")


class PrinterBody(Body):
    """Which printer (a URL as `o2o_domain.printers` has it, or host and port of one on raw TCP), and how wide its
    paper: 48 columns are 80 mm, 32 are 58 mm. `secret`: what a printer that comes by itself must show."""

    url: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    host: Annotated[str, Field(min_length=1, max_length=240)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    width_cols: Annotated[Literal[32, 48], Field(validation_alias=AliasChoices("width_cols", "width"))] = 48
    secret: Annotated[str, Field(min_length=8, max_length=64)] | None = None

    @model_validator(mode="after")
    def _one_address(self) -> PrinterBody:
        if (self.url is None) == (self.host is None) or (self.host is None) != (self.port is None):
            raise ValueError("printer: either url, or host and port")
        found = printer_address(self.url or tcp_url(self.host or "", self.port or 0))
        if isinstance(found, Refused):
            raise ValueError(found.detail)
        return self

    @property
    def address(self) -> PrinterAddress:
        """Its parts."""
        found = printer_address(self.url or tcp_url(self.host or "", self.port or 0))
        assert isinstance(found, PrinterAddress)
        return found


class DishBody(Body):
    """One dish of a new merchant."""

    ref: Ref
    name: Name
    price_fen: Fen
    stock: Stock


class MerchantBody(Body):
    """A new merchant with its menu; opening hours are minutes of the city's day."""

    ref: Ref
    name: Name
    lat: Latitude
    lng: Longitude
    open_min: Annotated[int, Field(ge=0, le=1440)] = 0
    close_min: Annotated[int, Field(ge=0, le=1440)] = 1440
    dishes: Annotated[list[DishBody], Field(max_length=1000)] = []
    printer: PrinterBody | None = None
    owner_ref: Ref | None = None

    @model_validator(mode="after")
    def _unique_dishes(self) -> MerchantBody:
        refs = [dish.ref for dish in self.dishes]
        if len(refs) != len(set(refs)):
            raise ValueError("dishes: refs must be unique")
        return self


class DishChange(Body):
    """What a merchant changes of a dish; what is not named stays. `stock` is the new level."""

    name: Name | None = None
    price_fen: Fen | None = None
    stock: Stock | None = None
    on_shelf: bool | None = None
