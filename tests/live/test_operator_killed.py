"""A whole rotation while the operator is killed again and again, at random moments and in the middle of its writes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.live.rotation_proof.keys import versions
from tests.live.rotation_proof.killer import Killer, Onlooker
from tests.live.rotation_proof.scene import Periods, Scene

#: Set to the number that a failed run has printed, to draw the same moments again.
SEED = "OIDC_PUBLISHER_KILL_SEED"


@pytest.mark.timeout(400)
def test_a_rotation_survives_an_operator_that_is_killed_all_the_time(tmp_path: Path) -> None:
    """From the first write on: no needed key is ever missing, no token rejected, and the rotation comes to its end."""
    seed = int(os.environ.get(SEED, time.time_ns() % 2**32))
    keys = versions(9, 10, "P-256")
    with Scene(tmp_path, keys, Periods(cache_max_age_s=2), remote=False, patience_s=120) as scene:
        scene.chronicle.note(f"{SEED}={seed}")
        onlooker = Onlooker(scene.stage)
        with Killer(scene.stage.operator, scene.publications, scene.chronicle, seed) as killer, onlooker:
            scene.apply()
            scene.wait_discovery()
            with scene.watched() as (watch, minting):
                scene.rotator.announce(keys[1])
                scene.rotator.promote(keys[1])
                scene.rotator.drop_the_old()
                scene.wait_published(keys[1])
        complaints = [*scene.complaints(watch, minting), *onlooker.complaints]
        print(f"{SEED}={seed}: {killer.figures()}; {scene.figures(watch, minting)}")  # noqa: T201 - to repeat a run
        assert not complaints, scene.report(complaints, watch, minting)
        scene.stage.operator.restart()
        assert scene.stage.wait_ready(timeout_s=40), "left alone, all is well"
