"""What the operator would see if the manifest were applied: the ledger of the living object, the manifest's spec."""

from __future__ import annotations

import pytest

from oidc_publisher.api import read_issuer
from oidc_publisher.cli.plan.basis import basis_of
from oidc_publisher.errors import InvalidObjectError
from tests.api_objects import bad_objects
from tests.support.statuses import issuer

CHANGES_OF_A_LIVING_OBJECT = {name: bad for name, bad in bad_objects().items() if bad.before is not None}


def test_a_new_object_begins_without_a_ledger() -> None:
    """And says that it is new."""
    manifest = issuer(keys=[])
    basis = basis_of(manifest, None)
    assert basis.issuer == manifest
    assert basis.sentence == "oidci/prod, which is not in the cluster yet"


def test_the_ledger_is_that_of_the_living_object() -> None:
    """A status in the file counts for nothing."""
    living = issuer()
    basis = basis_of(issuer(metadata={"uid": "", "generation": 0}, keys=[]), living)
    assert basis.issuer.status == living.status
    assert basis.issuer.metadata == living.metadata
    assert basis.sentence == "oidci/prod as it is in the cluster"


def test_a_changed_spec_is_another_generation_and_names_what_changed() -> None:
    """As the API server would count it; lists are one value, defaults are no change."""
    living = issuer()
    spec = {"interval": "2m", "rotation": {"clockSkew": "1m"}, "keySources": [{"name": "b", "apiServer": {}}]}
    basis = basis_of(issuer(spec=spec), living)
    assert basis.issuer.metadata.generation == living.metadata.generation + 1
    assert basis.sentence == "oidci/prod, changed in spec.keySources, spec.interval, spec.rotation.clockSkew"
    assert basis_of(issuer(spec={"interval": "60s"}), living).issuer == living


def test_many_changes_are_not_all_named() -> None:
    """The manifest is at hand; the line is for a person."""
    spec = {
        "interval": "2m",
        "cacheMaxAge": "1m",
        "adoption": "Merge",
        "deletionPolicy": "Delete",
        "probe": {"timeout": "3s", "audiences": ["a"], "relyingParties": ["Vault"]},
    }
    assert basis_of(issuer(spec=spec), issuer()).sentence.endswith(" and 1 more")


@pytest.mark.parametrize("name", sorted(CHANGES_OF_A_LIVING_OBJECT))
def test_a_change_that_the_api_server_refuses_is_refused(name: str) -> None:
    """The objects of the CRD's own tests, with its sentence."""
    bad = CHANGES_OF_A_LIVING_OBJECT[name]
    with pytest.raises(InvalidObjectError) as caught:
        basis_of(read_issuer(bad.document), read_issuer(bad.before or {}))
    assert "The API server would refuse this change of oidci/" in caught.value.message
    assert bad.expect in caught.value.message


def test_an_object_that_is_being_deleted_has_no_plan() -> None:
    """Nothing is published for it any more."""
    with pytest.raises(InvalidObjectError, match="oidci/prod is being deleted"):
        basis_of(issuer(), issuer(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))
