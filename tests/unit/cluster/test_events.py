"""What becomes of an event's note."""

from __future__ import annotations

import pytest

from oidc_publisher.cluster.events import cut_note


@pytest.mark.parametrize(
    ("note", "length"), [("short", 5), ("n" * 2000, 1024), ("ü" * 2000, 1024), ("鍵" * 2000, 1023)]
)
def test_a_note_is_as_long_as_the_api_takes_it(note: str, length: int) -> None:
    """Counted in bytes, as the API server does: one byte more, and the whole event is refused."""
    kept = cut_note(note)
    assert len(kept.encode()) == length
    assert note.startswith(kept)
