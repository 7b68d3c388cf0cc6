"""End the process without waiting for threads."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import NoReturn


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
