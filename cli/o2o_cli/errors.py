"""How every failure reaches the user: one clear line and an exit code.

Exit codes: 0 done, 1 done but a gate or a check was not met, 2 bad input or a world that could not be set up,
130 interrupted (Ctrl-C). A traceback is shown only with O2O_DEBUG=1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from typer.exceptions import Abort, TyperException

from o2o_devices.errors import DeviceError
from o2o_domain.errors import DomainError
from o2o_loadtest.errors import LoadError
from o2o_platform.errors import PlatformError
from o2o_results.errors import ResultsError
from o2o_scenarios.errors import ScenarioError
from o2o_sim.errors import SimError

EXIT_NOT_MET = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

TOLD = (ScenarioError, SimError, ResultsError, LoadError, PlatformError, DeviceError, DomainError)
"""Base exceptions of the packages: their messages are written for the user."""


class UsageError(Exception):
    """What was typed does not make sense; the message is one line."""


def guarded(main: Callable[[], object]) -> NoReturn:
    """Run `main`; turn the project's exceptions into one line on standard error and an exit code."""
    try:
        code = main()
        sys.exit(code if isinstance(code, int) else 0)
    except TyperException as error:
        _tell_usage(error)
        sys.exit(EXIT_BAD_INPUT)
    except Abort:
        tell("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except (*TOLD, UsageError) as error:
        _debug(error)
        tell(str(error))
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        tell("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # `o2o runs | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _debug(error)
        tell(f"{error.filename or 'system'}: {error.strerror or error}")
        sys.exit(EXIT_BAD_INPUT)


def _tell_usage(error: TyperException) -> None:
    """A mistake on the command line in one line; a command that was given nothing at all shows its help."""
    context = getattr(error, "ctx", None)
    if context is not None and not context.args and context.get_help().strip() == error.format_message().strip():
        print(error.format_message(), file=sys.stderr)
        return
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    tell(f"{error.format_message()}{hint}")


def tell(message: str) -> None:
    """One line to the user."""
    print(f"o2o: {' '.join(message.split())}", file=sys.stderr)


def _debug(error: BaseException) -> None:
    if os.environ.get("O2O_DEBUG"):
        raise error
