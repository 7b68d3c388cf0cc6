"""Make the conditions of SigningKeyRing from the entries of all signers. Pure.

Every signer applies both conditions. So that no two signers write against each other, a condition follows from what all
of them read alike. Only the sentence about a trouble is that of the signer that has it, which the others leave as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from oidc_publisher.findings import CATALOGUE, Finding, Reason, Severity, condition_message
from oidc_publisher.signer.ring import Choice, RingKey, Sight

#: A signer writes its entry each minute. One that has not for this long is away.
SILENT = timedelta(minutes=5)
#: A finding that says what has happened, and asks nobody for anything.
_TOLD_ONLY = frozenset({Reason.VersionConflict})
_SEVERITIES = tuple(Severity)
_KNOWN = frozenset(Reason)
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_SIGNER_SILENT = "SignerSilent"
_SILENT_ADVICE = (
    "Look whether the signer on that node runs and reaches its API server. If the node is gone for good, do nothing: the "
    "entry goes a day after its last report."
)


@dataclass(frozen=True, slots=True)
class SignerEntry:
    """A SignerEntry is what the status has of one signer; `reasons` are its findings, `seen` is when it last reported."""

    node: str
    version: str = ""
    reasons: tuple[str, ...] = ()
    seen: datetime | None = None

    def silent(self, now: datetime, after: timedelta = SILENT) -> bool:
        """Tell whether the signer has not reported for that long."""
        return self.seen is None or now - self.seen > after


@dataclass(frozen=True, slots=True)
class RingCondition:
    """A RingCondition is a condition without its times: `status` is True or False, `reason` one word, and `message` a sentence."""

    status: bool
    reason: str
    message: str


def entries_of(status: Mapping[str, Any]) -> tuple[SignerEntry, ...]:
    """Read the entries of all signers, sorted by their nodes; a member that is malformed is left out."""
    found = status.get("signers")
    entries = (each for each in found if isinstance(each, Mapping)) if isinstance(found, list) else ()
    return tuple(sorted((_entry(each) for each in entries), key=lambda entry: entry.node))


def _entry(entry: Mapping[str, Any]) -> SignerEntry:
    reasons = entry.get("findings")
    return SignerEntry(
        str(entry.get("node", "")),
        str(entry.get("version", "")),
        tuple(map(str, reasons)) if isinstance(reasons, list) else (),
        read_time(entry.get("lastSeenTime")),
    )


def others(sight: Sight, node: str) -> tuple[SignerEntry, ...]:
    """Return the entries of all signers but the one on this node."""
    return tuple(entry for entry in entries_of(sight.seen.status) if entry.node != node)


def ready(own: SignerEntry, findings: Iterable[Finding], sight: Sight) -> RingCondition:
    """Say whether every signer reads the ring, and signs."""
    entries = sorted((own, *others(sight, own.node)), key=lambda entry: entry.node)
    troubles = [(entry, word) for entry in entries for word in entry.reasons if word not in _TOLD_ONLY]
    if troubles:
        entry, word = min(troubles, key=lambda trouble: _weight(trouble[1]))
        mine = next((f for f in findings if f.reason == word), None) if entry is own else None
        return RingCondition(status=False, reason=word, message=_trouble(entry.node, word, mine, sight))
    away = [entry for entry in entries if entry is not own and entry.silent(sight.now)]
    if away:
        heard = ", ".join(f"{e.node} (last at {written_time(e.seen) or 'an unknown time'})" for e in away)
        message = condition_message(_SIGNER_SILENT, f"No report comes from the signer on {heard}.", _SILENT_ADVICE)
        return RingCondition(status=False, reason=_SIGNER_SILENT, message=message)
    nodes = ", ".join(entry.node for entry in entries)
    return RingCondition(
        status=True, reason=Reason.Succeeded, message=f"Every signer reads the ring, and signs: {nodes}."
    )


def _weight(word: str) -> int:
    """Return the place of a finding among several; a word of a later version stands last."""
    return _SEVERITIES.index(CATALOGUE[Reason(word)].severity) if word in _KNOWN else len(_SEVERITIES)


def _trouble(node: str, word: str, mine: Finding | None, sight: Sight) -> str:
    begin = f"Signer {node}: "
    if mine is not None:
        return begin + condition_message(word, mine.message, mine.advice)
    kept = present(sight, "Ready")
    said = str(kept.get("message", ""))
    if kept.get("reason") == word and said.startswith(begin):
        return said
    if word not in _KNOWN:
        return f"{begin}It reports {word}, which this version does not know."
    entry = CATALOGUE[Reason(word)]
    return begin + condition_message(word, entry.meaning, entry.hint)


def rotating(own: SignerEntry, choice: Choice, sight: Sight) -> RingCondition:
    """Say whether a version is on its way to sign, or is due."""
    if sight.suspended:
        return RingCondition(status=False, reason=Reason.Suspended, message="spec.suspend is true: nothing new begins.")
    newest = next((key for key in choice.ring.keys if key.can_sign), None)
    if choice.waiting_for:
        return RingCondition(status=True, reason=_why(newest, choice), message=f"Waiting for {choice.waiting_for}.")
    behind = tuple(_behind(newest, own, sight)) if newest else ()
    if newest and behind:
        message = f"Version {newest.number} begins to sign; {', '.join(behind)} has not changed to it yet."
        return RingCondition(status=True, reason=Reason.Progressing, message=message)
    message = f"Every signer signs with version {newest.number}, the newest." if newest else "No version can sign."
    return RingCondition(status=False, reason=Reason.Succeeded, message=message)


def _why(newest: RingKey | None, choice: Choice) -> Reason:
    """Return the finding that keeps a new version from being made. A version that waits does so without one."""
    waits = newest is not None and newest.signed_time is None
    found = () if waits else (finding.reason for finding in choice.findings if finding.reason not in _TOLD_ONLY)
    return next(iter(found), Reason.Progressing)


def _behind(newest: RingKey, own: SignerEntry, sight: Sight) -> Iterator[str]:
    """Yield the nodes whose signers report, and sign with another version than the newest."""
    for entry in sorted((own, *others(sight, own.node)), key=lambda each: each.node):
        if entry.version != str(newest.number) and (entry is own or not entry.silent(sight.now)):
            yield entry.node


def condition(kind: str, told: RingCondition, sight: Sight) -> dict[str, Any]:
    """Return a condition; its time is that of the last change of its status, whichever signer saw the change first."""
    former = present(sight, kind)
    status = str(told.status)
    since = former.get("lastTransitionTime") if former.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "observedGeneration": sight.seen.generation,
        "reason": str(told.reason),
        "message": told.message,
        "lastTransitionTime": since or written_time(sight.now),
    }


def present(sight: Sight, kind: str) -> Mapping[str, Any]:
    """Return a condition as the status has it now, empty where it has none."""
    found = sight.seen.status.get("conditions")
    conditions = (each for each in found if isinstance(each, Mapping)) if isinstance(found, list) else ()
    return next((each for each in conditions if each.get("type") == kind), {})


def written_time(time: datetime | None) -> str | None:
    """Return a time as the API writes it."""
    return None if time is None else f"{time:{_FORMAT}}"


def read_time(text: object) -> datetime | None:
    """Return a time that the API wrote, None for anything else."""
    try:
        return datetime.strptime(str(text), _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
