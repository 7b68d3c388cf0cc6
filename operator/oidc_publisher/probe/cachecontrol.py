"""Cache-Control as it was served (RFC 9111, section 5.2)."""

from __future__ import annotations

import re
from datetime import timedelta

_DIRECTIVE = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(?:"([^"]*)"|([^,\s]*)))?\s*(?:,|$)')
_SECONDS_MAX = 2**31  # RFC 9111, 1.2.2: what to take for a greater number


def directives(header: str) -> dict[str, str]:
    """The directives by lower-case name; of several of one name the longest number counts, for it errs late."""
    found: dict[str, str] = {}
    for match in _DIRECTIVE.finditer(header):
        name, value = match[1].lower(), match[2] or match[3] or ""
        if name not in found or _seconds(value) > _seconds(found[name]):
            found[name] = value
    return found


def longest_age(header: str) -> timedelta | None:
    """How long a cache may answer with this document: None where it states no age.

    max-age or, for shared caches, s-maxage, whichever is longer, and after it the time for which a stale copy may be
    used (RFC 5861). no-store and no-cache are no age: kube-apiserver caches heuristically all the same.
    """
    found = directives(header)
    ages = [_seconds(found[name]) for name in ("max-age", "s-maxage") if _seconds(found.get(name, "")) >= 0]
    if not ages:
        return None
    stale = max(_seconds(found.get(name, "")) for name in ("stale-while-revalidate", "stale-if-error"))
    return timedelta(seconds=max(ages) + max(stale, 0))


def is_as_published(header: str, max_age: timedelta) -> bool:
    """Whether it says what we publish, in any order and case: public, max-age=N."""
    return directives(header) == {"public": "", "max-age": str(int(max_age.total_seconds()))}


def _seconds(value: str) -> int:
    """The number of seconds, -1 for anything that is none."""
    if not value.isascii() or not value.isdigit():
        return -1
    return _SECONDS_MAX if len(value) > 10 else min(int(value), _SECONDS_MAX)  # noqa: PLR2004 - digits of 2^31
