"""The printers behind a vendor's cloud as a fleet: their numbers, and how a platform addresses them (A14).

Decides serial numbers: a printer's place in the fleet can be read off their end, and they are the same at every start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from o2o_devices.cloud.vendor import VendorCloud
from o2o_devices.cloud.vendor_book import Brand
from o2o_devices.faults import TicketFault
from o2o_devices.fleet import Fleet, OnPaper, PrinterSpec
from o2o_devices.mechanism import GENERIC_80, Profile

Brands = Literal["feie", "yilianyun", "both"]
_FIRST: dict[Brand, int] = {"feie": 960_000_000, "yilianyun": 4_004_000_000}


def brand_of(number: int, brands: Brands) -> Brand:
    """Which vendor's the printer of this number is; of both, the even ones are Feie's."""
    if brands == "both":
        return "yilianyun" if number % 2 else "feie"
    return brands


def serial_of(number: int, brand: Brand) -> str:
    """A printer's serial number (Feie) or machine code (Yilianyun)."""
    return str(_FIRST[brand] + number)


def address_of(number: int, brands: Brands) -> str:
    """A printer's address as the platform takes it: feie://960000000, yilianyun://4004000001 ..."""
    brand = brand_of(number, brands)
    return f"{brand}://{serial_of(number, brand)}"


def vendor_fleet(
    cloud: VendorCloud,
    count: int,
    brands: Brands = "both",
    *,
    on_paper: OnPaper,
    profile: Profile = GENERIC_80,
    plan: Callable[[int, int], TicketFault | None] | None = None,
) -> Fleet:
    """Printers 0 to count - 1 behind the cloud."""
    specs = []
    for number in range(count):
        brand = brand_of(number, brands)
        specs.append(PrinterSpec(number, profile, front=cloud.front(brand, serial_of(number, brand))))
    more: dict[str, Any] = {} if plan is None else {"plan": plan}
    return Fleet(specs, on_paper=on_paper, **more)
