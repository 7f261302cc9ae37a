"""How every failure reaches the user: one clear line and an exit code.

Exit codes: 0 done, 1 done but a gate or a check was not met, 2 bad input or a world that could not be set up,
130 interrupted (Ctrl-C). A traceback is shown only with O2O_DEBUG=1, or for a mistake of our own. (A reader that has
seen enough, as in `o2o runs | head -1`, ends the command quietly with 1: that is Typer's and rich's doing.)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from typer.exceptions import Abort, TyperException

EXIT_NOT_MET = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

TOLD = frozenset(
    {
        "o2o_scenarios.errors.ScenarioError",
        "o2o_sim.errors.SimError",
        "o2o_results.errors.ResultsError",
        "o2o_loadtest.errors.LoadError",
        "o2o_platform.errors.PlatformError",
        "o2o_devices.errors.DeviceError",
        "o2o_domain.errors.DomainError",
    }
)
"""Base exceptions of the packages: their messages are written for the user. By name, so that the handler needs none of
the packages imported (the platform's errors come with FastAPI)."""


class UsageError(Exception):
    """What was typed does not make sense; the message is one line."""


class Interrupted(Exception):  # noqa: N818 - not a mistake: someone pressed Ctrl-C
    """Work ended early, in good order, because of Ctrl-C; the message says what is kept, and where."""


def guarded(main: Callable[[], object]) -> NoReturn:
    """Run `main`; turn the project's exceptions into one line on standard error and an exit code."""
    try:
        code = main()
        if code == EXIT_INTERRUPTED:  # Typer's word for Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except TyperException as error:
        _tell_usage(error)
        sys.exit(EXIT_BAD_INPUT)
    except (KeyboardInterrupt, Abort):
        tell("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except Interrupted as kept:
        tell(f"interrupted: {kept}")
        sys.exit(EXIT_INTERRUPTED)
    except UsageError as error:
        _bad_input(error, str(error))
    except OSError as error:
        _bad_input(error, f"{error.filename or 'system'}: {error.strerror or error}")
    except Exception as error:
        if not is_told(error):
            raise
        _bad_input(error, str(error))


def is_told(error: BaseException) -> bool:
    """Whether the error is one of the project's, whose message is for the user."""
    return not TOLD.isdisjoint(f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)


def _bad_input(error: BaseException, message: str) -> NoReturn:
    if os.environ.get("O2O_DEBUG"):
        raise error
    tell(message)
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
