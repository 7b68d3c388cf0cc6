"""`oidc-publisher` that writes down where its CPU time goes; the arguments are those of the command.

BENCH_STACKS names the file: lines of `FRAME;FRAME;... MICROSECONDS`, outermost first, as flame graphs are made of. Nothing
counts until BENCH_STACKS_AFTER_S seconds have passed.

A thread looks at all others every two milliseconds, and adds the CPU time that each has used since the last look to the
stack that it has now. A thread that waits by now is left out: what it did before nobody has seen. What waits costs nothing,
so that a busy machine changes the picture little.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from oidc_publisher.cli import main

_EVERY_S = 0.002
_WRITTEN_EVERY = 1000
#: Where a thread waits for its next event or job.
_WAITING = frozenset({"EpollSelector.select", "_Worker.work", "_worker"})
_FOLDERS = ("/operator/", "/site-packages/", f"/python{sys.version_info.major}.{sys.version_info.minor}/")


def stack_of(frame: FrameType | None) -> str:
    """Return the functions of a stack, outermost first, each as MODULE.NAME."""
    names: list[str] = []
    while frame is not None:
        names.append(f"{_module(frame.f_code.co_filename)}.{frame.f_code.co_qualname}".replace(";", ","))
        frame = frame.f_back
    return ";".join(reversed(names))


def _module(file: str) -> str:
    for folder in _FOLDERS:
        _, found, rest = file.partition(folder)
        if found:
            return rest.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    return Path(file).stem


def _look(used_s: dict[int, float], stacks: Counter[str]) -> None:
    """Add the CPU time of every other thread since the last look to its stack."""
    frames = sys._current_frames()  # noqa: SLF001 - there is no other way
    for thread in threading.enumerate():
        if thread.ident is None or thread.ident == threading.get_ident():
            continue
        try:
            now_s = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        except OSError:
            continue  # it has just ended
        spent_s = now_s - used_s.get(thread.ident, now_s)
        used_s[thread.ident] = now_s
        frame = frames.get(thread.ident)
        if spent_s > 0 and frame is not None and frame.f_code.co_qualname not in _WAITING:
            stacks[stack_of(frame)] += round(spent_s * 1e6)


def _sample(file: Path, after_s: float) -> None:
    used_s: dict[int, float] = {}
    stacks: Counter[str] = Counter()
    time.sleep(after_s)
    while True:
        for _ in range(_WRITTEN_EVERY):
            _look(used_s, stacks)
            time.sleep(_EVERY_S)
        file.write_text("".join(f"{stack} {spent}\n" for stack, spent in stacks.items()), encoding="utf-8")


if __name__ == "__main__":
    sys.setswitchinterval(_EVERY_S / 4)  # else a look waits until the loop gives way by itself
    arguments = (Path(os.environ["BENCH_STACKS"]), float(os.environ["BENCH_STACKS_AFTER_S"]))
    threading.Thread(target=_sample, args=arguments, name="stacks", daemon=True).start()
    main()
