"""What the routes of leads take; a key that is not known is an error."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from o2o_platform.crm.repository import NewLead
from o2o_platform.merchants.bodies import Latitude, Longitude


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LeadBody(_Body):
    """A store that does not cooperate yet."""

    ref: Annotated[str, Field(min_length=1, max_length=64)]
    name: Annotated[str, Field(min_length=1, max_length=128)]
    lat: Latitude
    lng: Longitude
    source: Literal["crawl", "bd", "merchant", "crowd"] = "bd"

    def value(self) -> NewLead:
        """For the repository."""
        return NewLead(self.ref, self.name, self.lat, self.lng, self.source)


class VisitBody(_Body):
    """Where the BD is, and what was said."""

    lat: Latitude
    lng: Longitude
    note: Annotated[str, Field(max_length=500)] = ""


class ContractBody(_Body):
    """`convert` false: the contract is signed, but the store does not become a merchant yet. May be left out."""

    convert: bool = True


class AssignBody(_Body):
    """The account id of the BD who gets the lead."""

    to: int
