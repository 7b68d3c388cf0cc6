"""Compare the served key sets with the published one and with each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from oidc_publisher.documents import KeySet
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.keys import PublicKey
from oidc_publisher.keys.strictjson import quoted
from oidc_publisher.probe.answers import JudgedAnswer
from oidc_publisher.wording import listed

_NAMED = 5  # a message names only the first of many keys or defects, because people read it


def judge_key_sets(
    answers: Sequence[JudgedAnswer[KeySet]],
    published: tuple[PublicKey, ...] | None,
    former_key_ids: frozenset[str],
    severity: Severity,
) -> Iterator[Finding]:
    """Return the findings about the served sets; `severity` is that of a copy that is only older.

    Reads that differ give one finding. The sets themselves are judged only if none of them is the published one.
    """
    if not answers:
        return
    url = answers[0].fetched.url
    for answer in answers:
        yield from _defects(answer)
    meanings = [_meaning(answer) for answer in answers]
    sets = [frozenset(a.document.keys) for a in answers if a.document]
    if disagreement(meanings):
        apart = frozenset().union(*sets) - frozenset.intersection(*sets) if sets else frozenset()
        detail = f": {_key_ids(apart)} in some of them only" if apart else ""
        message = f"Repeated reads of {url} give different key sets{detail}"
        # While a write propagates, old copies differ from new ones as expected. A key that was never published is an
        # error.
        known = published is not None and apart <= _known(apart, published, former_key_ids)
        yield Finding.of(
            Reason.AnswersDisagree, message, subject=url, severity=severity if known else Severity.CRITICAL
        )
    if published is None or frozenset(published) in sets:
        return
    for served in dict.fromkeys(sets):
        if served:  # an empty set is reported as a defect already
            yield _difference(url, served, frozenset(published), former_key_ids, severity)


def disagreement(meanings: Sequence[object]) -> bool:
    """Return whether repeated reads gave different results."""
    return len(set(meanings)) > 1


def _meaning(answer: JudgedAnswer[KeySet]) -> object:
    if answer.document is None:
        return answer.fetched.status if answer.fetched.status != HTTPStatus.OK else "invalid"
    return frozenset(answer.document.keys)


def _defects(answer: JudgedAnswer[KeySet]) -> Iterator[Finding]:
    defects = answer.document.defects if answer.document else ()
    if not defects:
        return
    url = answer.fetched.url
    worst_first = sorted(defects, key=lambda defect: defect.overlooked)
    message = f"{url}: {listed((defect.detail for defect in worst_first), most=_NAMED, separator='; ')}"
    if all(defect.overlooked for defect in defects):
        hint = "No verifier is known to mind; serve only the keys that sign tokens, without further members."
        yield Finding.of(Reason.KeySetInvalid, message, subject=url, hint=hint, severity=Severity.WARNING)
    else:
        yield Finding.of(Reason.KeySetInvalid, message, subject=url)


def _difference(
    url: str, served: frozenset[PublicKey], published: frozenset[PublicKey], former: frozenset[str], severity: Severity
) -> Finding:
    missing, extra = published - served, served - published
    detail = " and ".join(f"{word} {_key_ids(keys)}" for word, keys in (("without", missing), ("with", extra)) if keys)
    if extra <= _known(extra, tuple(published), former):
        message = f"{url} serves an older key set: {detail}"
        return Finding.of(Reason.StaleCopy, message, subject=url, severity=severity)
    changed = extra and {key.key_id for key in extra} & {key.key_id for key in missing}
    if changed:
        detail += f"; another key than ours under {listed(map(quoted, sorted(changed)), most=_NAMED)}"
    message = f"{url} serves another key set than the published one: {detail}"
    return Finding.of(Reason.DifferentKeysServed, message, subject=url)


def _known(
    keys: frozenset[PublicKey], published: tuple[PublicKey, ...], former_key_ids: frozenset[str]
) -> frozenset[PublicKey]:
    """Return those of `keys` that are, or were, published.

    A key with a published kid and other material was never published.
    """
    ours = frozenset(published)
    taken = {key.key_id for key in published}
    return frozenset(k for k in keys if k in ours or (k.key_id in former_key_ids and k.key_id not in taken))


def _key_ids(keys: frozenset[PublicKey]) -> str:
    return listed(map(quoted, sorted({key.key_id for key in keys})), most=_NAMED)
