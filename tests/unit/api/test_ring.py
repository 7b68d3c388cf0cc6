"""SigningKeyRings as they are read: defaults, rules, and refusals that give nothing away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oidc_publisher.api import InvalidObjectError
from oidc_publisher.api.managed import RingAlgorithm, SigningKeyRingSpec, read_ring, signing_key_ring_definition
from tests.api_objects import RINGS, BadObject, bad_objects, good_objects

GOOD, BAD = good_objects(RINGS), bad_objects(RINGS)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_object_is_read(name: str) -> None:
    """What the API server accepts is understood here as well."""
    assert read_ring(GOOD[name]).metadata.name == "default"


@pytest.mark.parametrize("bad", [b for b in BAD.values() if not b.accepted_offline], ids=lambda b: b.name)
def test_a_bad_object_is_refused(bad: BadObject) -> None:
    """What the API server refuses is refused here too, in the same words where the words are ours."""
    with pytest.raises(InvalidObjectError) as caught:
        read_ring(bad.document)
    error = caught.value
    assert error.message.startswith("The SigningKeyRing cannot be used: ")
    assert "kubectl explain signingkeyring.spec" in error.hint
    assert "dGhpcyBpcyBub3Qg" not in f"{error!r} {error} {error.__cause__}"
    if bad.expect.startswith(("must be a", "must be between", "must be lower", "metadata.name")):
        assert bad.expect in error.message


def test_an_empty_spec_asks_for_nothing() -> None:
    """Versions are made only when somebody asks."""
    spec = read_ring(GOOD["smallest"]).spec
    assert spec == SigningKeyRingSpec()
    assert (spec.algorithm, spec.rotation_period, spec.newest_version) == (RingAlgorithm.RS256, None, None)
    assert (spec.trim_before, spec.issuers, spec.suspend) == (None, None, False)


def test_every_member_is_read() -> None:
    """Names, numbers as texts, durations."""
    spec = read_ring(GOOD["everything"]).spec
    assert spec.rotation_period == timedelta(days=90)
    assert (spec.newest_version, spec.trim_before) == ("11", "9")
    assert spec.issuers == ("prod", "staging.example")


def test_a_malformed_status_is_left_out() -> None:
    """Nothing decides by it, so that it keeps nobody from reading the spec."""
    ring = read_ring(GOOD["everything"] | {"status": {"versions": "none"}})
    assert ring.spec.newest_version == "11"
    assert read_ring(GOOD["smallest"] | {"status": {"highest": "11"}}).status.highest == "11"


def test_no_member_of_the_status_holds_a_key() -> None:
    """The operator may read the ring's status, and takes names of versions from it, never keys."""
    schema = signing_key_ring_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    versions = schema["properties"]["status"]["properties"]["versions"]["items"]["properties"]
    assert set(versions) == {
        "version",
        "keyID",
        "algorithm",
        "state",
        "imported",
        "createdTime",
        "signingSinceTime",
        "verifyOnlyTime",
    }
