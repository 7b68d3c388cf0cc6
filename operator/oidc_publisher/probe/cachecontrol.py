"""Parse a Cache-Control header as it was served (RFC 9111, section 5.2)."""

from __future__ import annotations

import re
from datetime import timedelta

_DIRECTIVE = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(?:"([^"]*)"|([^,\s]*)))?\s*(?:,|$)')
_RENEWAL = timedelta(minutes=1)
_SECONDS_MAX = 2**31  # RFC 9111, 1.2.2: the value that stands for every greater number


def directives(header: str) -> dict[str, str]:
    """Return the directives by lower-case name; the greatest number of several counts, because it errs late."""
    found: dict[str, str] = {}
    for match in _DIRECTIVE.finditer(header):
        name, value = match[1].lower(), match[2] or match[3] or ""
        if name not in found or _seconds(value) > _seconds(found[name]):
            found[name] = value
    return found


def longest_age(header: str) -> timedelta | None:
    """Return how long a cache may answer with this document, None where the header states no age.

    The age is the longer one of max-age and s-maxage (for shared caches), plus the time for which a stale copy may be
    used after it (RFC 5861). no-store and no-cache state no age, because kube-apiserver caches heuristically in spite
    of them.
    """
    found = directives(header)
    ages = [_seconds(found[name]) for name in ("max-age", "s-maxage") if _seconds(found.get(name, "")) >= 0]
    if not ages:
        return None
    stale = max(_seconds(found.get(name, "")) for name in ("stale-while-revalidate", "stale-if-error"))
    return timedelta(seconds=max(ages) + max(stale, 0))


def is_beyond(header: str, age: str) -> bool:
    """Return whether a cache serves a document, by its header Age, beyond every age that the document states.

    A minute above is in order: a cache that many readers ask renews a document while it still serves the old copy.
    """
    allowed, seconds = longest_age(header), _seconds(age.strip())
    return allowed is not None and timedelta(seconds=seconds) > allowed + _RENEWAL


def is_as_published(header: str, max_age: timedelta) -> bool:
    """Return whether the header equals the published one, `public, max-age=N`, in any order and case."""
    return directives(header) == {"public": "", "max-age": str(int(max_age.total_seconds()))}


def _seconds(value: str) -> int:
    """Return the number of seconds, -1 for a value that is no number."""
    if not value.isascii() or not value.isdigit():
        return -1
    return _SECONDS_MAX if len(value) > 10 else min(int(value), _SECONDS_MAX)  # noqa: PLR2004 - digits of 2^31
