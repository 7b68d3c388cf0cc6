"""Where everything that is built or fetched for the tests is kept, and how it is said that something cannot be had."""

from __future__ import annotations

import os
import platform
from pathlib import Path


class CannotBuildError(Exception):
    """Says in one sentence what is missing and what else would do."""


def cache_folder() -> Path:
    """Return the folder below which everything is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "oidc-publisher" / "testbed"


def goarch() -> str:
    """Return this machine's architecture as Go calls it."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
