"""`oidc-publisher` that writes down the long turns of its event loop; the arguments are those of the command.

BENCH_TURNS names the file: one line of JSON per turn with the time at its end and the CPU seconds of the loop's thread.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from oidc_publisher.cli import main
from tests.support.turns import Turns, measured_turns

#: Shorter ones are none that anybody waits for.
SHORTEST_S = 0.002


class _Written(Turns):
    """Turns that are written as they end."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._lines = open(file, "a", buffering=1, encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the process

    def note(self, cpu_s: float) -> None:
        """Write one down."""
        if cpu_s >= SHORTEST_S:
            self._lines.write(json.dumps({"at": time.time(), "cpu_s": cpu_s}) + "\n")


if __name__ == "__main__":
    with measured_turns(_Written(os.environ["BENCH_TURNS"])):
        main()
