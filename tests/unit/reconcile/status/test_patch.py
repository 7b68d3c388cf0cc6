"""The status as a merge patch."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.reconcile.status.patch import merge_patch, status_patch

leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
objects = st.recursive(
    st.dictionaries(st.sampled_from("abcd"), leaves.filter(lambda v: v is not None), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner | leaves.filter(lambda v: v is not None), max_size=3),
    max_leaves=8,
)


def applied(stored: Any, patch: Any) -> Any:
    """RFC 7386, section 2, as the API server does it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(stored) if isinstance(stored, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = applied(result.get(name), value)
    return result


@given(objects, objects)
def test_a_patch_makes_the_stored_object_the_wanted_one(stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Whatever differs is in the patch, members that are gone included."""
    assert applied(stored, merge_patch(stored, wanted)) == wanted


@given(objects)
def test_nothing_changed_is_an_empty_patch(stored: dict[str, Any]) -> None:
    """A resting issuer costs no PATCH."""
    assert merge_patch(stored, stored) == {}


def test_conditions_of_others_are_kept() -> None:
    """A merge patch replaces the whole list, so foreign conditions go along."""
    foreign = {"type": "example.com/Audited", "status": "True"}
    stored = {"conditions": [{"type": "Ready", "status": "False"}, foreign]}
    patch = status_patch(stored, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert patch == {"conditions": [{"type": "Ready", "status": "True"}, foreign]}


def test_a_condition_of_ours_that_is_no_longer_true_goes() -> None:
    """Reconciling and Stalled exist only while true."""
    stored = {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "True"}]}
    patch = status_patch(stored, {"conditions": [{"type": "Ready", "status": "True"}]})
    assert patch == {"conditions": [{"type": "Ready", "status": "True"}]}
