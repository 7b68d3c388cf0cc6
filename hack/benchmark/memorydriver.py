"""`oidc-publisher` that tells who holds its memory; the arguments are those of the command.

BENCH_MEMORY names a file. At SIGUSR1 it is written anew: the bytes that are held by owner, as JSON. Memory is traced from
before the first import on.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

#: As many frames as lie between an allocation in a library and the line of ours that caused it.
_FRAMES = 20
_OURS = "/oidc_publisher/"
_LIBRARIES = "/site-packages/"


def owner_of(frames: list[str]) -> str:
    """Name who holds what was allocated in these files, the innermost last.

    Modules and what libraries make while they are imported belong to `imports`; all else to the innermost package of ours,
    or where there is none to the innermost library.
    """
    library = ""
    for file in reversed(frames):
        if file.startswith("<frozen importlib"):
            return "imports"
        if _OURS in file:
            return f"ours: {_package(file.rpartition(_OURS)[2])}"
        if not library and _LIBRARIES in file:
            library = file.rpartition(_LIBRARIES)[2].partition("/")[0].removesuffix(".py")
    return library or "Python"


def _package(path: str) -> str:
    """`stores/s3` of `stores/s3/clients.py`."""
    return str(Path(path).parent) if "/" in path else Path(path).stem


def held() -> dict[str, int]:
    """Bytes by owner."""
    gc.collect()
    sizes: Counter[str] = Counter()
    owners: dict[int, str] = {}
    # Half a million traces with an object for each frame would take minutes. Traces of one place share their frames,
    # the innermost first.
    traces: Any = tracemalloc.take_snapshot().traces._traces  # type: ignore[attr-defined]  # noqa: SLF001
    for _, size, frames, *_ in traces:
        if id(frames) not in owners:
            owners[id(frames)] = owner_of([file for file, _ in reversed(frames)])
        sizes[owners[id(frames)]] += size
    return dict(sizes)


def _write(*_: object) -> None:
    file = Path(os.environ["BENCH_MEMORY"])
    part = file.with_suffix(".part")
    part.write_text(json.dumps(held()))
    part.rename(file)


if __name__ == "__main__":
    tracemalloc.start(_FRAMES)
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    signal.signal(signal.SIGUSR1, _write)
    from oidc_publisher.cli import main

    main()
