"""Every broken issuer of the gallery as an OIDCIssuer on a real API server."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.gallery import resolvconf
from tests.gallery.cases import CASES
from tests.gallery.judges import recorded
from tests.gallery.scene import INTERVAL_S, MAX_AGE_S, Scene
from tests.gallery.served import told


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One operator and all the issuers, in good order."""
    with Scene(tmp_path_factory.mktemp("gallery")) as running:
        yield running


@pytest.mark.timeout(600)
def test_each_fault_is_named_in_the_status_and_heals(
    scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    """Exactly its reason in Served and its findings, in the sentences of the reference, within one interval.

    Passes are counted and not seconds, which say how busy the machine is: the first pass that begins after the change
    shows it, and every pass announces the next one within the interval.
    """
    named = scene.break_all()
    records, differing = recorded.read().cases, {}
    for name, said in named.messages.items():
        # An operator also looks as a stranger does where a cloud is asked for, and says what that shows.
        shown = said_here(scene, name, said)
        # The fault may have come between the two documents of one visit, and the first status then names one of them.
        if set(shown) != set(said_there(records[name], name)) and not scene.places[name].settings:
            differing[name] = shown
    assert differing == {}
    healed = scene.heal_all()
    for what, seen in (("named", named), ("healed", healed)):
        seconds = sorted(seen.seconds.values())
        record_property(what, f"median {statistics.median(seconds):.1f} s, max {seconds[-1]:.1f} s")
        print(what, len(seconds), f"median {statistics.median(seconds):.1f} s, max {seconds[-1]:.1f} s")  # noqa: T201
        # Of the passes that ended after the change the first may have begun before it, and the second has not.
        assert {name: count for name, count in seen.passes.items() if count > 2} == {}, what
    announced = [end.next_look_s for end in scene.pass_ends()]
    assert None not in announced
    assert max(filter(None, announced)) <= INTERVAL_S


def test_no_case_is_left_out(scene: Scene) -> None:
    """Where the operator may have no resolv.conf of its own, the cases with names of their own are skipped, and told."""
    if not resolvconf.possible():
        pytest.skip("no mount namespace: the cases with names of their own are left out")
    missing = {case.name for case in CASES.values() if not case.needs_ipv6} - {case.name for case in scene.cases}
    assert missing == set()


def said_here(scene: Scene, name: str, messages: Iterable[str]) -> list[str]:
    """The messages of a status in the form of the recorded ones, which are about another max-age."""
    found = (recorded.without_chance(text, scene.places[name].issuer) for text in messages)
    return told(CASES[name], dict.fromkeys(text.replace(f'max-age={MAX_AGE_S}"', 'max-age=300"') for text in found))


def said_there(record: recorded.Record, name: str) -> list[str]:
    """The recorded messages of a case."""
    return told(CASES[name], record.probe)
