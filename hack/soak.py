#!/usr/bin/env python3
"""`make soak`: rotate one simulated issuer from version 1 to 1,001, with faults, and count the tokens that are rejected.

The run drives the program's own rules and documents (tests/simulation/soakrun.py); it succeeds with no rejected token.
With --ignore-gate the rotator signs with every key at once; then the run succeeds only if tokens are rejected, which
shows that it can fail.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import structlog

from tests.simulation.oracle import ViolationError
from tests.simulation.soakrun import Soak
from tests.simulation.world import T0


def main() -> int:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rotations", type=int, default=1000, help="how many (default: 1000, to version 1,001)")
    parser.add_argument("--seed", type=int, default=1, help="which faults, and when")
    parser.add_argument("--ignore-gate", action="store_true", help="sign at once; the run must then show rejections")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()
    soak = Soak(arguments.rotations, arguments.seed, arguments.ignore_gate, tell=lambda line: print(line, flush=True))
    try:
        soak.run()
    except ViolationError as error:
        print(f"FAILED at version {soak.version}: {error}")
    else:
        if (soak.world.rejected > 0) == arguments.ignore_gate:
            print(f"passed in {time.monotonic() - began:.0f} s for {(soak.world.now - T0).days} simulated days")
            return 0
        print(
            "FAILED: tokens were rejected" if soak.world.rejected else "FAILED: no token was rejected without the gate"
        )
    return 1


if __name__ == "__main__":
    sys.exit(main())
