"""End the process without waiting for threads, and keep its memory together."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import NoReturn

#: M_ARENA_MAX of glibc's malloc.h.
_ARENA_MAX = -8
_ARENAS = 2


def share_arenas() -> None:
    """Let the threads of this process share two arenas of malloc, where the C library has arenas (glibc).

    With one for each thread, as is usual, what a thread has freed is of no use to any other one.
    """
    import ctypes  # noqa: PLC0415 - commands that only ask import this module too

    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)


def leave(code: int) -> NoReturn:
    """End the process now.

    A regular exit of the interpreter would wait for every thread, and a thread in a blocking call (boto3) takes
    seconds. Even without threads, its clean-up takes half of the second that an exit may take. Functions registered
    with atexit are called: the kubernetes package deletes its temporary files, a client key among them, and logging
    flushes.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - undocumented, but there since Python 3.0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # the disk of the log may be full; the exit code still counts
            stream.flush()
    os._exit(code)
