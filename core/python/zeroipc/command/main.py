"""Runs the command: what becomes of errors, of Ctrl-C, and of a reader that has gone."""

from __future__ import annotations

import io
import os
import sys
from typing import List, NoReturn, Optional

from ..errors import ZeroIPCError
from .arguments import parse
from .output import Unwritable, flush, warn
from .segment import is_corrupt

_INTERRUPTED = 130
_NO_READER = 141  # as of a program that SIGPIPE ends


def main(arguments: Optional[List[str]] = None) -> int:
    """Returns the exit status: 0 well, 1 a segment is corrupt, 2 bad usage or it cannot be done."""
    parsed = parse(arguments)
    try:
        status = int(parsed.run(parsed))
        flush()
        return status
    except Unwritable as error:
        warn(str(error))
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        warn(f"the system refused something: {error}")
        return 2
    except ZeroIPCError as error:
        warn(str(error))
        return 1 if is_corrupt(error) else 2
    except MemoryError:
        warn("too little memory for a copy of the structure")
        return 2


def program() -> NoReturn:
    """As `main`, for the shell."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may have characters that the terminal has not
    try:
        status = main()
    except BrokenPipeError:
        status = _NO_READER
    except KeyboardInterrupt:
        status = _INTERRUPTED
    try:
        sys.stdout.flush()
    except OSError:
        # What is still buffered has no reader either: the interpreter's end need not try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
