"""Find the known texts of a pasted log; the innermost error of the log comes first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from oidc_publisher.relyingparties.texts.facts import TextFacts, facts_of
from oidc_publisher.relyingparties.texts.known import KNOWN
from oidc_publisher.relyingparties.texts.knowntext import KnownText
from oidc_publisher.relyingparties.texts.plaintext import plain_text
from oidc_publisher.relyingparties.texts.wrappers import WRAPPERS, WrapperText

_PART = re.compile(r"\{(any|issuer|kid|hexkid)\}")
#: What a changing part may be. {any} ends at the next literal, and is short, because it stands in one message.
_PARTS = {
    "any": r".{0,300}?",
    "issuer": r"(?P<issuer>[^\s\"'<>`,]+)",
    "kid": r"(?P<kid>[^\s\"']*)",
    "hexkid": r"(?P<hexkid>[0-9A-Fa-f]+)",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """What is known of a pasted text.

    `found` holds the known texts, the innermost first, each once. `wrappers` are the texts round them, which say nothing
    by themselves. `facts` are what a check needs.
    """

    found: tuple[KnownText, ...]
    wrappers: tuple[WrapperText, ...]
    facts: TextFacts


@dataclass(frozen=True, slots=True)
class _Hit:
    known: KnownText
    begin: int
    end: int
    named: Mapping[str, str]

    def holds(self, other: _Hit) -> bool:
        """Whether the other text is a part of this one, or the same words and less of them."""
        return self.begin <= other.begin and other.end <= self.end and self.end - self.begin > other.end - other.begin


def explained(text: str) -> Explained:
    """Find the known texts of a log.

    Each error wraps the error that caused it, so the text that stands last is the innermost.
    """
    plain = plain_text(text)
    lower = plain.lower()
    # A search for literals is fast; the patterns are only tried where all their literals are in the text.
    likely = (known for known in KNOWN if all(literal in lower for literal in _literals(known.text)))
    hits = _innermost_first(hit for known in likely if (hit := _hit(known, plain)) is not None)
    named = hits[0].named if hits else {}
    wrappers = tuple(wrapper for wrapper in WRAPPERS if wrapper.text.lower() in lower)
    return Explained(tuple(hit.known for hit in hits), wrappers, facts_of(plain, named))


def _innermost_first(hits: Iterable[_Hit]) -> Sequence[_Hit]:
    found = tuple(hits)
    outer = (hit for hit in found if not any(other.holds(hit) for other in found))
    return sorted(outer, key=lambda hit: (-hit.begin, hit.known.name))


def _hit(known: KnownText, plain: str) -> _Hit | None:
    """Find the last place of a known text."""
    last = None
    for last in _pattern(known.text).finditer(plain):  # noqa: B007 - the last one counts
        pass
    return None if last is None else _Hit(known, *last.span(), last.groupdict())


@cache
def _literals(text: str) -> tuple[str, ...]:
    return tuple(_PART.sub("\n", plain_text(text)).lower().split("\n"))


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Compile a known text: its literals as they stand in a plain text, its changing parts as what they may be."""
    pieces = _PART.split(plain_text(text))
    return re.compile(
        "".join(_PARTS[piece] if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)),
        re.IGNORECASE,
    )
