"""Key IDs short enough for a table and long enough to tell them apart. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_SHORTEST = 8


def shortened(key_ids: Iterable[str]) -> dict[str, str]:
    """Each key ID with its beginning that no other one has; all are equally long where they are long enough."""
    known = tuple(dict.fromkeys(key_ids))
    longest = max((len(key_id) for key_id in known), default=0)
    size = next((n for n in range(_SHORTEST, longest) if _all_differ(known, n)), longest)
    return {key_id: key_id[:size] for key_id in known}


def _all_differ(known: tuple[str, ...], size: int) -> bool:
    return len({key_id[:size] for key_id in known}) == len(known)
