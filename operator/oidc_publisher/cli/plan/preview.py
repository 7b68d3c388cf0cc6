"""The result of `plan` as one value, the same for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from oidc_publisher.api import StatusFinding
from oidc_publisher.cli.plan.basis import Basis
from oidc_publisher.cli.plan.caveats import caveats_of
from oidc_publisher.cli.plan.decision import Decided, Refused
from oidc_publisher.cli.plan.diff import unified_diff, what_changes
from oidc_publisher.cli.plan.keys import KeyChange, key_changes
from oidc_publisher.cli.wait.verdict import SUSPENDED
from oidc_publisher.documents import DISCOVERY_PATH, StoredDocument
from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Finding, Reason, most_important, sorted_findings
from oidc_publisher.probe import Fetched, Look, key_sets
from oidc_publisher.reconcile.plan import Decision
from oidc_publisher.reconcile.status.findings import status_finding
from oidc_publisher.rotation import Pass
from oidc_publisher.wording import counted


class Result(StrEnum):
    """The kinds of result."""

    NOTHING_TO_DO = "NothingToDo"
    WOULD_CHANGE = "WouldChange"
    REFUSED = "Refused"  # nothing would be written, although other documents are stored than planned
    CANNOT_TELL = "CannotTell"


@dataclass(frozen=True, slots=True)
class DocumentPlan:
    """The plan for one document.

    `change` is `created`, `changed`, `unchanged`, or `untouched` where the operator may not write. `diff` has the lines of
    a unified diff, and is empty for a document that would not be written.
    """

    path: str
    change: str
    reason: str
    diff: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """An event that the operator would record."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The whole preview; members with a default stay empty when nothing was read.

    `documents` stand in the order of writing. `read` says what the cluster listed, `public` what anybody sees at the public
    URL now, and `caveats` what the preview cannot know. `more` says that another write follows in the same pass, because a
    write that adds a key removes none (R6). `distribution` is the CloudFront distribution whose copies would be
    invalidated after the writes.
    """

    name: str
    result: Result
    sentence: str
    object: str
    issuer_url: str
    location: str = ""
    owner: str = ""
    serial: int | None = None
    next_serial: int | None = None
    read: str = ""
    public: str = ""
    caveats: tuple[str, ...] = ()
    documents: tuple[DocumentPlan, ...] = ()
    more: bool = False
    distribution: str = ""
    keys: tuple[KeyChange, ...] = ()
    findings: tuple[StatusFinding, ...]
    events: tuple[Note, ...] = ()


def suspended_preview(basis: Basis) -> Preview:
    """Make the preview of a suspended issuer, for which nothing is read."""
    return _head(basis, Result.NOTHING_TO_DO, f"It is suspended: {SUSPENDED}", ())


def refused_preview(basis: Basis, refused: Refused) -> Preview:
    """Make the preview of an issuer of which nothing could be read."""
    worst = most_important(refused.findings)
    return _head(basis, Result.CANNOT_TELL, _because(worst), refused.findings)


def preview(basis: Basis, decided: Decided, now: datetime, *, mints: bool, crd: bool) -> Preview:
    """Make the preview of a pass.

    `mints` says that the pass had a ServiceAccount to mint tokens for, `crd` that the cluster has the CRD.
    """
    result, sentence = _result(decided)
    decision = decided.decision
    place, plan, intent, seen = decision.stored.place, decision.plan, decision.intent, decision.seen
    undecided = result in (Result.REFUSED, Result.CANNOT_TELL)
    return replace(
        _head(basis, result, sentence, _reported(decided, mints=mints)),
        location=place.location,
        owner=place.owner,
        serial=decided.serial,
        next_serial=intent.ledger.serial if intent.writes else None,
        read=_read(seen),
        public=_public(decided.look),
        caveats=tuple(caveats_of(basis, decided, mints=mints, crd=crd)),
        documents=tuple(_documents(basis, decision)),
        more=bool(intent.writes) and plan.more,
        distribution=_distribution(basis) if intent.writes else "",
        keys=() if undecided else key_changes(plan, seen.stored.keys, seen.policy, now),
        events=tuple(Note(event.reason.value, event.sentence) for event in (*plan.events, *intent.events)),
    )


def _head(basis: Basis, result: Result, sentence: str, findings: tuple[Finding, ...]) -> Preview:
    """Make a preview of the members that every preview has."""
    return Preview(
        name=basis.issuer.metadata.name,
        result=result,
        sentence=sentence,
        object=basis.sentence,
        issuer_url=basis.issuer.spec.issuer_url,
        findings=tuple(map(status_finding, sorted_findings(findings))),
    )


def _result(decided: Decided) -> tuple[Result, str]:
    decision = decided.decision
    intent = decision.intent
    if intent.problem is not None:
        read = decision.stored.documents.error is None
        return (Result.REFUSED if read else Result.CANNOT_TELL), _because(intent.problem)
    if not intent.writes:
        if not any(source.listings for source in decision.seen.sources):
            return Result.CANNOT_TELL, "No key source could be read, so nobody can tell which keys there are."
        return Result.NOTHING_TO_DO, "Both documents are stored as planned."
    count = "One document would be written" if len(intent.writes) == 1 else "Both documents would be written"
    return Result.WOULD_CHANGE, f"{count}; nothing has been."


def _because(finding: Finding | None) -> str:
    return "Nobody can tell." if finding is None else f"{finding.reason}: {finding.message}"


def _documents(basis: Basis, decision: Decision) -> Iterator[DocumentPlan]:
    documents, intent = decision.stored.documents, decision.intent
    stored = {basis.issuer.spec.jwks_path: documents.jwks, DISCOVERY_PATH: documents.discovery}
    for write in intent.writes:
        found = stored.pop(write.path)
        reason = what_changes(found, write.document, write.reason)
        change = "created" if found is None else "changed"
        yield DocumentPlan(write.path, change, reason, unified_diff(write.path, found, write.document))
    if documents.error is not None:
        return
    for path, found in stored.items():
        yield DocumentPlan(path, "unchanged" if intent.problem is None else "untouched", _is(found), ())


def _is(found: StoredDocument | None) -> str:
    return "there is none" if found is None else ""


def _distribution(basis: Basis) -> str:
    s3 = basis.issuer.spec.store.s3
    return s3.cloud_front.distribution_id if s3 and s3.cloud_front else ""


def _read(seen: Pass) -> str:
    """Say in a few words what the cluster listed and minted."""
    names = ", ".join(source.name for source in seen.sources)
    text = f"{counted(len(seen.listed), 'key')} listed by {names}"
    servers = len(seen.mints.endpoints or ())
    return f"{text}; {counted(len(seen.minted), 'token')} of {counted(servers, 'API server')}" if servers else text


def _public(look: Look) -> str:
    """Say in a few words what anybody sees at the public URL now."""
    read = look.reads[0] if look.reads else None
    for answer in (read.discovery, read.jwks) if read else ():
        if isinstance(answer, FetchError):
            return f"{answer.message} ({answer.reason})"
        if isinstance(answer, Fetched) and answer.status != HTTPStatus.OK:
            return f"{answer.url} answers {answer.status}"
    seen = key_sets(look)
    if not seen:
        return "no key set can be read"
    counts = sorted({len(keys) for keys in seen})
    return f"both documents, with {' or '.join(counted(count, 'key') for count in counts)}"


def _reported(decided: Decided, *, mints: bool) -> tuple[Finding, ...]:
    """Leave out the finding on tokens when this command had no ServiceAccount to mint for, which a caveat says."""
    return tuple(f for f in decided.findings if mints or f.reason is not Reason.TokenRequestFailed)
