"""The explanation of a text as one value, the same for people and for programs. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from oidc_publisher.findings import CATALOGUE, Reason, Severity
from oidc_publisher.findings.catalogue.events import EVENTS
from oidc_publisher.relyingparties.texts import Explained, KnownText
from oidc_publisher.relyingparties.texts.knowntext import OF_THE_TOKEN, SettlingCheck

#: Words before a reason in `kubectl describe`, in YAML and JSON, and in a table of events.
_REASON = re.compile(r"(?:\breason\"?:\s*\"?|\b(?:Normal|Warning)\s+)([A-Z][A-Za-z]+)\b", re.IGNORECASE)
#: Reasons of what is as it should be, and of what was over as soon as it had happened.
_NO_TROUBLE = frozenset({Reason.Succeeded, Reason.Proven, Reason.ProvenWithoutToken, *EVENTS})


@dataclass(frozen=True, slots=True)
class TextMeaning:
    """What a known text means, in words."""

    name: str
    party: str
    text: str
    meaning: str
    causes: tuple[str, ...]
    checks: tuple[str, ...]
    advice: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReasonMeaning:
    """What a reason of the catalogue means."""

    reason: str
    severity: str
    condition: str
    meaning: str
    advice: str


@dataclass(frozen=True, slots=True)
class ExplanationPage:
    """The whole explanation.

    `texts` begin with the innermost error, `reasons` with the gravest. `wrappers` say nothing by themselves. `commands`
    look further, with what the text names; the other members are those names, empty where the text has none.
    """

    texts: tuple[TextMeaning, ...]
    reasons: tuple[ReasonMeaning, ...]
    wrappers: tuple[str, ...]
    commands: tuple[str, ...]
    issuer_url: str
    key_id: str
    role: str
    subject: str


def page_of_text(text: str, found: Explained) -> ExplanationPage:
    """Make the page of a pasted text, in which `found` was found."""
    facts = found.facts
    return ExplanationPage(
        texts=tuple(map(_text_meaning, found.found)),
        reasons=tuple(map(reason_meaning, _reasons(text))),
        wrappers=tuple(wrapper.text for wrapper in found.wrappers),
        commands=tuple(_commands(found)),
        issuer_url=facts.issuer_url,
        key_id=facts.key_id,
        role=facts.role,
        subject=facts.subject,
    )


def reason_meaning(reason: Reason) -> ReasonMeaning:
    """Return what the catalogue says of a reason."""
    entry = CATALOGUE[reason]
    return ReasonMeaning(str(reason), str(entry.severity), str(entry.condition), entry.meaning, entry.hint)


def _reasons(text: str) -> list[Reason]:
    named = {Reason(word) for word in _REASON.findall(text) if word in Reason.__members__}
    order = list(Reason)
    return sorted(
        named - _NO_TROUBLE,
        key=lambda reason: (list(Severity).index(CATALOGUE[reason].severity), order.index(reason)),
    )


def _text_meaning(known: KnownText) -> TextMeaning:
    return TextMeaning(
        name=known.name,
        party=known.party,
        text=re.sub(r"\{\w+\}", "...", known.text),
        meaning=known.meaning,
        causes=tuple(str(cause) for cause in known.causes),
        checks=tuple(str(check) for check in known.checks),
        advice=known.advice,
        sources=known.sources,
    )


def _commands(found: Explained) -> Iterator[str]:
    """Write the commands that look further, for the innermost text whose cause the issuer may be."""
    known = next((known for known in found.found if known.about_the_issuer), None)
    if known is None:
        return
    checks, facts = set(known.checks), found.facts
    words = ["oidc-publisher", "verify", facts.issuer_url or "URL"]
    words += ["--for", known.verify_for] if known.verify_for else []
    if checks & OF_THE_TOKEN:
        yield "kubectl exec POD -- cat TOKEN_FILE >token.jwt"
        words += ["--token", "token.jwt"]
    if SettlingCheck.AUDIENCE in checks and facts.audience:
        words += ["--audience", facts.audience]
    if SettlingCheck.SUBJECT in checks and facts.role:
        name = facts.role.rpartition("/")[2]
        query = "--query Role.AssumeRolePolicyDocument --output json"
        yield f"aws iam get-role --role-name {shlex.quote(name)} {query} >trust.json"
        words += ["--role-trust", "trust.json"]
    yield shlex.join(words)
