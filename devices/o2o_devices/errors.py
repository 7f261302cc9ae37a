"""Errors of the virtual printers.

DeviceError
├── ProfileError        a printer profile with impossible figures
├── FleetError          a fleet that cannot start (ports, open-file limit) or an unknown printer
├── ControlError        a fault that this printer cannot have, or an unknown one
├── JobError            a whole job that was not answered for
│   ├── PowerLost       the power went: what was not on paper is gone, and nobody is there to tell
│   └── NoAnswer        the printer is there and will not say what became of it
├── DecodeError         data that are not of the medium that they were announced as
└── HttpError           an exchange over HTTP that came to nothing
"""


class DeviceError(Exception):
    """A virtual printer was asked for something it cannot do."""


class ProfileError(DeviceError):
    """A printer profile has impossible figures."""


class FleetError(DeviceError):
    """A fleet of printers cannot start, or has no such printer."""


class ControlError(DeviceError):
    """A printer was told to have a fault that it cannot have."""


class JobError(DeviceError):
    """A whole job was not answered for."""


class PowerLost(JobError):  # noqa: N818  what happened, not a mistake
    """The power went while the job was under way, or was off. What is not on paper is gone."""


class NoAnswer(JobError):  # noqa: N818
    """The printer will not say what became of the job: its answer is lost, or it is silent.

    `printed`: the paper came out (nobody but the paper knows that at the time; for front ends that answer late).
    """

    def __init__(self, why: str, *, printed: bool = False) -> None:
        super().__init__(why)
        self.printed = printed


class DecodeError(DeviceError):
    """Data that are not of the medium that they were announced as. `code`: the status code for it (511, 510 ...)."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class HttpError(DeviceError):
    """An exchange over HTTP that came to nothing. `reason`: connect, timeout, closed, protocol, too_large or link."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
