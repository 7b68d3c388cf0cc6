"""No live token is ever rejected by verifiers that cache, as long as who rotates waits for the gate; else some are."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.rotation_proof.keys import versions
from tests.live.rotation_proof.scene import Periods, Scene
from tests.support.signingkeys import Kind
from tests.support.stage import reasons

#: Two libraries cache for 2 s. A kube-apiserver looks again for every unknown key ID under so short a max-age.
SHORT = Periods(cache_max_age_s=2)

#: A kube-apiserver keeps a set that lacks a key for max-age - 30 s, so it takes more than that to catch it: here 15 s.
LONG = Periods(cache_max_age_s=45)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("first", "last", "kind"),
    [pytest.param(8, 12, "P-256", id="8-to-12"), pytest.param(98, 102, "RSA-2048", id="98-to-102")],
)
def test_no_live_token_is_rejected_while_versions_pass(tmp_path: Path, first: int, last: int, kind: Kind) -> None:
    """Four rotations by restart, through a change of digits, while three kinds of verifiers look all the time."""
    keys = versions(first, last, kind)
    with Scene(tmp_path, keys, SHORT) as scene:
        scene.begin()
        with scene.watched() as (watch, minting):
            watch.read_sets_now()
            scene.rotator.announce(keys[1])
            for new, following in itertools.zip_longest(keys[1:], keys[2:]):
                scene.rotator.promote(new, following)
            scene.wait_published(keys[-1], keys[-2])
        complaints = scene.complaints(watch, minting)
        scene.say_figures(watch, minting)
        assert not complaints, scene.report(complaints, watch, minting)
        assert {kid for _, kid in minting.minted()} == set(scene.numbers), "every version has signed"


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Versions 9 to 11 under a max-age that makes every verifier miss a key that signs too early."""
    with Scene(tmp_path_factory.mktemp("patient"), versions(9, 11, "P-256"), LONG) as scene:
        scene.begin()
        yield scene


@pytest.mark.timeout(400)
def test_who_waits_for_the_gate_is_never_rejected_by_long_caches(patient: Scene) -> None:
    """Every verifier reads the set at the worst moment, just before the new key is in it, and none rejects a token."""
    with patient.watched() as (watch, minting):
        watch.read_sets_now()
        patient.rotator.announce(patient.keys[1])
        patient.rotator.promote(patient.keys[1])
        time.sleep(LONG.live_s)
    complaints = patient.complaints(watch, minting)
    patient.say_figures(watch, minting)
    assert not complaints, patient.report(complaints, watch, minting)


@pytest.mark.timeout(400)
def test_who_ignores_the_gate_is_rejected_by_every_verifier(patient: Scene) -> None:
    """The same without the wait: each of the three refuses live tokens, so the test above can fail; and it is named."""
    with patient.watched() as (watch, minting):
        watch.read_sets_now()
        patient.rotator.promote_at_once(patient.keys[2])
        patient.stage.wait(lambda s: "SignedBeforeSafe" in reasons(s), what="SignedBeforeSafe", timeout_s=20)
        time.sleep(LONG.live_s / 2)  # the operator may have seen it before the verifiers had a token
    patient.say_figures(watch, minting)
    for verifier in watch.verifiers:
        assert watch.rejected_by(verifier.name) > 0, patient.report([], watch, minting)
    assert {r.token.kid for r in watch.rejections} == {patient.keys[2].kid}, "nothing else was rejected"
