"""Define what a judged role trust is: its conditions, and whether a token meets each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oidc_publisher.api import RelyingParty
from oidc_publisher.keys.strictjson import quoted


class NoRoleTrustError(ValueError):
    """The text is none of the documents that say which tokens a role trusts; the message says why."""


@dataclass(frozen=True, slots=True)
class TrustCondition:
    """One condition: `what` is as its owner wrote it, `holds` None where it depends on more than the token.

    `found` is what the token has instead, `letter_case` whether the letters' case alone is the difference.
    """

    what: str
    holds: bool | None
    found: str
    letter_case: bool = False


@dataclass(frozen=True, slots=True)
class RoleTrust:
    """The judged conditions of one document of one relying party; `what` names the document."""

    party: RelyingParty
    what: str
    conditions: tuple[TrustCondition, ...]

    @property
    def failing(self) -> tuple[TrustCondition, ...]:
        """The conditions that the token does not meet."""
        return tuple(condition for condition in self.conditions if condition.holds is False)


@dataclass(frozen=True, slots=True)
class Presented:
    """What a token presents: its issuer as it was registered, and its claims."""

    issuer_url: str
    claims: Mapping[str, Any]

    @property
    def audiences(self) -> tuple[str, ...]:
        """The token's audiences, which are a string or a list."""
        return texts_of(self.claims.get("aud"))

    @property
    def provider(self) -> str:
        """The issuer as IAM names it: without its scheme."""
        return self.issuer_url.removeprefix("https://")


def texts_of(value: object) -> tuple[str, ...]:
    """Return the strings of a claim or of a policy's value, which may be one or a list."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, str | int | float):
        return (str(value),)
    if not isinstance(value, list):
        return ()
    return tuple(text for one in value if not isinstance(one, list) for text in texts_of(one))


def equal(what: str, wanted: Sequence[str], given: Sequence[str]) -> TrustCondition:
    """Return the condition that one of `given` is one of `wanted`."""
    if set(wanted) & set(given):
        return TrustCondition(what, holds=True, found=f"it is {said(given)}")
    folded = {text.casefold() for text in wanted} & {text.casefold() for text in given}
    differs = ", which differs in the case of letters only" if folded else ""
    return TrustCondition(what, holds=False, found=f"the token has {said(given)}{differs}", letter_case=bool(folded))


def said(values: Sequence[str]) -> str:
    """Return values for a sentence."""
    return ", ".join(map(quoted, values)) or "none"


def best(candidates: Sequence[tuple[TrustCondition, ...]]) -> tuple[TrustCondition, ...]:
    """Return the conditions that a token meets, else those it may meet, else those of which it meets all but the fewest."""

    def distance(conditions: tuple[TrustCondition, ...]) -> tuple[bool, int]:
        holds = [condition.holds for condition in conditions]
        return False in holds, len(holds) - holds.count(True)

    return min(candidates, key=distance)


def matches_wildcards(pattern: str, text: str) -> bool:
    """Return whether a text fits a pattern in which * is any characters and ? is one.

    The cost is at most the product of both lengths; a regular expression's grows without bound with the number of stars.
    """
    at, after, kept = (
        0,
        -1,
        0,
    )  # `after` is the place in the pattern behind its last star, which has taken text up to `kept`
    i = 0
    while i < len(text):
        if at < len(pattern) and pattern[at] == "*":
            at, after, kept = at + 1, at + 1, i
        elif at < len(pattern) and pattern[at] in ("?", text[i]):
            at, i = at + 1, i + 1
        elif after >= 0:
            kept += 1
            at, i = after, kept
        else:
            return False
    return not pattern[at:].strip("*")
