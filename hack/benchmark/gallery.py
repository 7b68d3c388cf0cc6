"""The time from a fault of a public endpoint to the condition that names it, over every issuer of the gallery."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from tests.gallery.scene import INTERVAL_S, Scene

#: An interval, and a probe that tries twice to reach a host that does not answer within five seconds.
_TARGET_S = INTERVAL_S + 10

_METHOD = f"""\
One operator has every issuer of [the gallery](gallery.md) as an OIDCIssuer with an interval of {INTERVAL_S} s and probes that
may take 1 to 5 s. All are in good order, then all break at once, each in its way, and later all heal. The time runs
from the moment at which a fault is there, or gone, until a watch shows the status that names it exactly, or no longer."""


def measure(amount: Amount) -> Chapter:
    """Break every issuer of the gallery, and heal it."""
    del amount  # one run has more than a hundred samples
    with tempfile.TemporaryDirectory(prefix="oidc-publisher-bench-") as folder, Scene(Path(folder)) as scene:
        named, healed = scene.break_all(), scene.heal_all()
    figures = (
        Figure("Fault → condition that names it", "s", tuple(named.seconds.values()), Target(_TARGET_S)),
        Figure("Fault gone → condition True again", "s", tuple(healed.seconds.values()), Target(_TARGET_S)),
    )
    return Chapter("Broken issuers", _METHOD, figures)
