"""The exit codes of every command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes that a script may rely on."""

    YES = 0
    NO = 1  # broken, differs, timed out
    NO_ANSWER = 2  # wrong usage, no access, nothing to ask
    INTERRUPTED = 130  # Ctrl-C, as shells count it
