"""The drivers there are, by the scheme of a printer's address. A new one is a module here and a line below."""

from __future__ import annotations

from collections.abc import Mapping

from o2o_domain.printers import KINDS
from o2o_platform.printing.drivers import Driver, feie, mqtt, tcp9100, yilianyun

DRIVERS: Mapping[str, Driver] = {
    driver.scheme: driver for driver in (tcp9100.DRIVER, mqtt.DRIVER, feie.DRIVER, yilianyun.DRIVER)
}


def driver_of(address: str) -> Driver | None:
    """Who sends to this address; None: nobody has to, the device comes by itself.

    Raises KeyError for a scheme without a driver, which no merchant's printer can have.
    """
    scheme = address.partition("://")[0]
    return DRIVERS[scheme] if KINDS[scheme].push else None
