"""Key IDs, shortened for a table and still different from each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_SHORTEST = 8


def shortened(key_ids: Iterable[str]) -> dict[str, str]:
    """Map each key ID to its shortest beginning that tells all of them apart; all beginnings have the same length."""
    known = tuple(dict.fromkeys(key_ids))
    longest = max((len(key_id) for key_id in known), default=0)
    size = next((n for n in range(_SHORTEST, longest) if _all_differ(known, n)), longest)
    return {key_id: key_id[:size] for key_id in known}


def _all_differ(known: tuple[str, ...], size: int) -> bool:
    return len({key_id[:size] for key_id in known}) == len(known)
