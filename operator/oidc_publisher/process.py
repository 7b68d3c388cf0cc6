"""End the process without waiting for threads, and keep its memory together."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import Any, NoReturn

#: M_ARENA_MAX of glibc's malloc.h.
_ARENA_MAX = -8
_ARENAS = 2


def share_arenas() -> None:
    """Let the threads of this process share two arenas of malloc, where the C library has arenas (glibc).

    With one for each thread, as is usual, what a thread has freed is of no use to any other one.
    """
    with contextlib.suppress(AttributeError, OSError):
        _c_library().mallopt(_ARENA_MAX, _ARENAS)


def return_freed() -> None:
    """Return to the system what malloc keeps of freed memory, where the C library can (glibc); for a thread, it takes milliseconds.

    By itself glibc returns only what lies at the very end of its heap, and one small block that stays there keeps
    everything before it: after 2,000 issuers that came and went it held twice what was in use.
    """
    with contextlib.suppress(AttributeError, OSError):
        _c_library().malloc_trim(0)


def _c_library() -> Any:
    import ctypes  # noqa: PLC0415 - commands that only ask import this module too

    return ctypes.CDLL(None)


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
