"""What is told of key types and algorithms that are new to relying parties."""

from __future__ import annotations

import pytest

from oidc_publisher.findings import Reason
from tests.simulation.rulecases import K1, START, found
from tests.simulation.scenario import HOUR, Source, World, key, one_server


def test_the_first_key_of_another_type_is_announced() -> None:
    """Parties that froze their algorithms must restart before it signs."""
    world = one_server("K1")
    world.at(START)
    world.servers["A"].keys = [K1, key("rsa", algorithm="RS256")]
    result = world.at(HOUR)
    assert [f.subject for f in result.findings if f.reason is Reason.KeyTypeChange] == ["rsa"]


@pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
def test_a_new_algorithm_is_announced_where_nobody_is_seen_signing(algorithm: str) -> None:
    """An issuer without API servers: parties have met the first keys' algorithm; ES384 is new beside ES256 too."""
    first = key("first", algorithm="RS256" if algorithm == "ES256" else "ES256")
    world = World(sources={"cm": Source([first])})
    world.at(START)
    assert not found(world, Reason.KeyTypeChange)
    world.sources["cm"].keys = [first, key("second", algorithm=algorithm)]
    world.at(HOUR)
    assert [finding.subject for finding in found(world, Reason.KeyTypeChange)] == ["second"]
