"""The program `tabuah`: hands the command line to the package that owns it, and owns the exit code.

`tabuah agent run` goes to the agent before click is imported: on a gateway that process lives
for months and each megabyte counts. Everything else goes through `tabuah.commands`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from tabuah.errors import ConfigError, TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INTERRUPTED = 130
"""128 + SIGINT, as shells say it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of the command line `argv` (default: the process's own)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except ConfigError as error:
        # As compilers print theirs, without a prefix, so that editors jump to the line.
        _complain(*(str(problem) for problem in error.problems))
        return error.exit_code
    except TabuahError as error:
        _complain(f"tabuah: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has left. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return TabuahError.exit_code


def _dispatch(arguments: list[str]) -> int:
    if arguments[:2] == ["agent", "run"]:
        _import_asyncio_without_ssl()
        # By name, because `tabuah` stands below the programs and imports none of them.
        run: Callable[[list[str]], int | None] = import_module("agent.run").main
        return run(arguments[2:]) or 0
    from tabuah.commands import invoke  # noqa: PLC0415 - it imports click

    return invoke(arguments)


def _import_asyncio_without_ssl() -> None:
    """Import asyncio as on a Python without ssl: the agent does its TLS itself, when it has any.

    asyncio takes ssl where it finds it, and goes on without it where not. It is 2.3 MiB, which
    an office without https checks need not hold. That None in sys.modules makes an import fail
    is Python's promise (Language Reference, 5.3.1).
    """
    sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import asyncio  # noqa: F401, PLC0415
    finally:
        del sys.modules["ssl"]


def _complain(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)
