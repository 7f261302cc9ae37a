"""What every part of a scenario is made of: numbers with their ranges, and the base of its models.

Decides that unknown keys are refused, that models are frozen, and which numbers a field may hold.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _number(value: object) -> object:
    """YAML reads `yes` and `on` as true, and Python takes true for 1."""
    if isinstance(value, bool):
        raise ValueError("input should be a number")
    return value


Real = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_number)]
Fraction = Annotated[Real, Field(ge=0.0, le=1.0)]
PositiveFloat = Annotated[Real, Field(gt=0.0)]
NonNegativeFloat = Annotated[Real, Field(ge=0.0)]
PositiveInt = Annotated[Whole, Field(gt=0)]
NonNegativeInt = Annotated[Whole, Field(ge=0)]
MinuteOfDay = Annotated[Whole, Field(ge=0, le=1440)]


class Spec(BaseModel):
    """Base of every part of a scenario: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
