"""Errors of the virtual printers.

DeviceError
├── ProfileError        a printer profile with impossible figures
├── FleetError          a fleet that cannot start (ports, open-file limit) or an unknown printer
└── ControlError        a fault that this printer cannot have, or an unknown one
"""


class DeviceError(Exception):
    """A virtual printer was asked for something it cannot do."""


class ProfileError(DeviceError):
    """A printer profile has impossible figures."""


class FleetError(DeviceError):
    """A fleet of printers cannot start, or has no such printer."""


class ControlError(DeviceError):
    """A printer was told to have a fault that it cannot have."""
