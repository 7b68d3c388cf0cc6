"""Every broken issuer of the gallery as an OIDCIssuer on a real API server."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import pytest

from tests.gallery import resolvconf
from tests.gallery.cases import CASES
from tests.gallery.judges import recorded
from tests.gallery.scene import INTERVAL_S, Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One operator and all the issuers, in good order."""
    with Scene(tmp_path_factory.mktemp("gallery")) as running:
        yield running


@pytest.mark.timeout(600)
def test_each_fault_is_named_in_the_status_and_heals(
    scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    """Exactly its reason in Served and its findings, in the sentences of the reference, within about one interval."""
    named = scene.break_all()
    for name, said in named.messages.items():
        told = dict.fromkeys(recorded.without_chance(text, scene.places[name].issuer) for text in said)
        # An operator also looks as a stranger does where a cloud is asked for, and says what that shows.
        assert scene.places[name].settings or tuple(told) == recorded.read().cases[name].probe, name
    healed = scene.heal_all()
    for what, seen in (("named", named), ("healed", healed)):
        seconds = sorted(seen.seconds.values())
        record_property(what, f"median {statistics.median(seconds):.1f} s, max {seconds[-1]:.1f} s")
        print(what, len(seconds), f"median {statistics.median(seconds):.1f} s, max {seconds[-1]:.1f} s")  # noqa: T201
    # Each issuer waits for its turn of the interval: half of it on average.
    assert statistics.median(named.seconds.values()) < INTERVAL_S


def test_no_case_is_left_out(scene: Scene) -> None:
    """Where the operator may have no resolv.conf of its own, the cases with names of their own are skipped, and told."""
    if not resolvconf.possible():
        pytest.skip("no mount namespace: the cases with names of their own are left out")
    missing = {case.name for case in CASES.values() if not case.needs_ipv6} - {case.name for case in scene.cases}
    assert missing == set()
