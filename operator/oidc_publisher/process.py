"""Ending the process without waiting for anybody."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process now.

    The interpreter would wait for every thread, and one inside a blocking call (boto3) takes seconds; without any, its
    tidying up takes half of the second that an exit may take. What asked to be called at the end is called: the
    kubernetes package deletes its temporary files, a client key among them, and logging flushes.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - undocumented, but there since Python 3.0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # a full disk behind the log: the code still has to come out
            stream.flush()
    os._exit(code)
