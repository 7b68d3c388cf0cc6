#!/usr/bin/env python3
"""`make demo`: watch the keys of two real API servers become a working issuer, break, heal and rotate.

`make demo-managed` (--managed): watch two API servers move from sa.key to managed keys, which rotate by themselves.

What happens is told in hack/story; this file only sees to it that nothing is left behind, however it ends.
"""

from __future__ import annotations

import signal

# Before anything else is imported: from here on they wait until the supervisor asks for them.
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD))

import argparse  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hack.story import supervisor  # noqa: E402


def main() -> int:
    """Tell the story in a child process, and clean up after it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end, until Ctrl-C")
    parser.add_argument("--managed", action="store_true", help="tell of managed keys instead")
    arguments = parser.parse_args()

    def tell(folder: Path) -> int:
        # Imported in the child only: Ctrl-C during the second this takes finds the supervisor waiting.
        from hack.story import telling  # noqa: PLC0415

        steps = telling.MANAGED if arguments.managed else telling.ROTATION
        return telling.tell(folder, steps, keep=bool(arguments.keep))

    return supervisor.supervise(tell)


if __name__ == "__main__":
    sys.exit(main())
