"""What the signer reads of an OIDCIssuer, held against the models from which the real objects are made."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.signer.ring import KeyView, view_of
from tests.support.builders import issuer_of
from tests.support.rings import NOW

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Proven",
    "message": "Good.",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
READ = READY | {"type": "KeysRead", "reason": "Succeeded"}
STATUS: dict[str, Any] = {
    "observedGeneration": 3,
    "conditions": [READY, READ],
    "lastProvenTime": "2026-01-01T00:00:00Z",
    "signingKeyIDs": ["k1"],
    "keys": [
        {
            "keyID": "k1",
            "state": "Signing",
            "safeSinceTime": "2026-01-01T00:00:00Z",
            "origins": [{"source": "default"}],
        },
        {
            "keyID": "k2",
            "state": "Served",
            "unlistedBy": ["10.0.0.12:6443"],
            "safeToSignTime": "2026-01-02T00:00:00Z",
        },
        {"keyID": "k3", "state": "Retiring", "safeSinceTime": "2026-01-01T00:00:00Z"},
    ],
}


def document(status: dict[str, Any] = STATUS, **spec: Any) -> dict[str, Any]:
    """The object as the API server stores it: with every default."""
    issuer = issuer_of(metadata={"generation": 3}, status=status, **spec)
    dumped: dict[str, Any] = issuer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped


def test_a_healthy_object_is_read() -> None:
    """Every member that a rule needs."""
    view = view_of(document(interval="1m30s", rotation={"clockSkew": "7m", "withdrawnKeyIDs": ["k9"]}))
    assert (view.name, view.trouble, view.interval) == ("prod", "", timedelta(seconds=90))
    assert (view.clock_skew, view.proven_time) == (timedelta(minutes=7), NOW)
    assert (view.signing_key_ids, view.withdrawn) == (frozenset({"k1"}), frozenset({"k9"}))
    assert view.keys == (
        KeyView("k1", safe=True, sources=frozenset({"default"})),
        KeyView("k2", unlisted_by=("10.0.0.12:6443",), expected="2026-01-02T00:00:00Z"),
        KeyView("k3"),
    )
    assert view.doubt(NOW) == ""


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"spec": {"suspend": True}}, "is suspended"),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "is being deleted"),
        ({"metadata": {"generation": 4}}, "has a change that its operator has not seen"),
        (
            {"status": {"conditions": [READY | {"status": "False", "reason": "AccessBlocked"}, READ]}},
            "is not Ready (AccessBlocked)",
        ),
        (
            {"status": {"conditions": [READY, READ | {"status": "Unknown", "reason": "APIServerUnreachable"}]}},
            "does not read every API server (APIServerUnreachable)",
        ),
        ({"status": {"conditions": [READY]}}, "does not read every API server (no operator has looked at it)"),
        ({"status": {"conditions": []}}, "is not Ready (no operator has looked at it)"),
        ({"status": {"lastProvenTime": "yesterday"}}, "has a status that cannot be read"),
        ({"status": {"keys": [{"state": "Signing"}]}}, "has a status that cannot be read"),
        ({"spec": {"interval": "1 fortnight"}}, "has a status that cannot be read"),
    ],
)
def test_an_object_in_trouble_says_why(change: dict[str, dict[str, Any]], trouble: str) -> None:
    """Nothing is concluded from it."""
    changed = document()
    for part, members in change.items():
        changed[part] = changed[part] | members
    view = view_of(changed)
    assert view.trouble == view.doubt(NOW) == trouble


def test_a_withdrawal_counts_whatever_else_cannot_be_read() -> None:
    """A stolen key goes at once."""
    changed = document(rotation={"withdrawnKeyIDs": ["k9"]})
    changed["status"] = "nonsense"
    assert view_of(changed).withdrawn == frozenset({"k9"})


def test_only_sources_that_read_this_clusters_api_servers_count() -> None:
    """A ConfigMap's keys are nobody's versions."""
    sources = [
        {"name": "api", "apiServer": {}},
        {"name": "map", "configMap": {"namespace": "n", "name": "c"}},
    ]
    assert view_of(document(keySources=sources)).api_sources == frozenset({"api"})
    elsewhere = document()
    elsewhere["spec"]["keySources"] = [{"name": "far", "apiServer": {"kubeconfigSecret": {"name": "k"}}}]
    assert view_of(elsewhere).api_sources == frozenset()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(("metadata", "spec", "status")), st.data())
def test_whatever_stands_in_an_object_nothing_fails_and_nothing_is_permitted(part: str, data: st.DataObject) -> None:
    """A member that is not what it should be leads to trouble, to an old proof, or to what was said before."""
    changed = copy.deepcopy(document())
    name = data.draw(st.sampled_from(sorted(changed[part])))
    changed[part][name] = data.draw(_JSON)
    view = view_of(changed)
    permitted = {key.key_id for key in view.keys if key.safe and not view.doubt(NOW)}
    assert permitted <= {"k1"}
