"""A running process as the kernel sees it."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path


def cpu_s(pid: int) -> float:
    """CPU time of all its threads so far, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def rss_mib(pid: int, field: str = "VmRSS") -> float:
    """Its resident memory; VmHWM is the highest it ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"{field} of {pid}")


def seconds_to_exit(pid: int, *, timeout_s: float = 30.0) -> float:
    """Send SIGTERM to a child and return how long it lives; waiting for a pidfd, not polling."""
    handle = os.pidfd_open(pid)
    try:
        began = time.monotonic()
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        ended, _, _ = select.select([handle], [], [], timeout_s)
        took = time.monotonic() - began
    finally:
        os.close(handle)
    if not ended:
        raise TimeoutError(f"SIGTERM was ignored for {timeout_s:g} s")
    return took
