"""What becomes of an event's note."""

from __future__ import annotations

import re

import pytest

from oidc_publisher.cluster.events import cut_note, event_name


@pytest.mark.parametrize(
    ("note", "length"), [("short", 5), ("n" * 2000, 1024), ("ü" * 2000, 1024), ("鍵" * 2000, 1023)]
)
def test_a_note_is_as_long_as_the_api_takes_it(note: str, length: int) -> None:
    """Counted in bytes, as the API server does: one byte more, and the whole event is refused."""
    kept = cut_note(note)
    assert len(kept.encode()) == length
    assert note.startswith(kept)


@pytest.mark.parametrize("issuer", ["prod", "a" * 253, f"{'a' * 235}.b", f"{'a' * 235}-.-b"])
def test_the_name_of_an_event_is_one_of_the_api_and_no_other_events(issuer: str) -> None:
    """The longest name of an issuer leaves no place for more, and a part of a name may not end with a dash."""
    names = {event_name(issuer) for _ in range(100)}
    assert len(names) == 100
    for name in names:
        assert len(name) <= 253
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name)
        assert name.startswith(issuer[:200])
