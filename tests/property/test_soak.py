"""The long run of `make soak`, cut short: twelve rotations with faults, across 9 -> 10."""

from __future__ import annotations

import pytest

from tests.simulation.soakrun import Soak

pytestmark = pytest.mark.slow


def test_twelve_rotations_with_faults_reject_no_token() -> None:
    """Versions 1 to 13: every verifier accepts every live token."""
    soak = Soak(12, seed=9)
    soak.run()
    assert soak.version == 13
    assert soak.world.verified > 1000
    assert soak.world.rejected == 0


def test_without_the_gate_the_same_run_rejects_tokens() -> None:
    """The run can fail: a rotator that signs at once with what was published costs tokens."""
    soak = Soak(12, seed=9, ignore_gate=True)
    soak.run()
    assert soak.world.rejected > 0
    assert soak.world.oracle.early_promotions > 0
