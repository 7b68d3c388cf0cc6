"""The verdict that a status gives to somebody who waits: yes, no, not yet, or none. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from oidc_publisher.api import OIDCIssuer, StatusCondition, StatusKey, format_time
from oidc_publisher.cli.text.times import both
from oidc_publisher.findings import ConditionType, Reason, joined
from oidc_publisher.rotation import COARSE

#: What a suspended issuer means, the same words in `status`, `wait` and `plan`.
SUSPENDED = "nothing is read, published, retired or proven until spec.suspend is false."
#: A status is fresh while it is not older than this many intervals (R10).
FRESH_INTERVALS = 3
#: An interval may be a second, a pass over slow API servers takes longer.
_SHORTEST_FRESH, _LONGEST_FRESH = timedelta(seconds=15), timedelta(minutes=3)
#: The API servers that restart leave the EndpointSlice 15 s after they went down, and are back within this time.
_RESTART = timedelta(minutes=2)


class VerdictKind(Enum):
    """The kinds of verdict."""

    YES = auto()
    NO = auto()  # and waiting does not help
    NOT_YET = auto()
    NONE = auto()  # nobody can tell at present


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer and its sentence.

    `not_before` is the earliest time at which NOT_YET can become YES, None when nobody can tell. `silent` says that no
    pass of the operator supports the verdict, so that it counts as no answer when the time is up. `key` is the key that
    was asked about, None when the status does not have it.
    """

    answer: VerdictKind
    sentence: str
    not_before: datetime | None = None
    silent: bool = False
    key: StatusKey | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A question to the operator, which is a value in the annotation `reconcile-requested-at`.

    `handled` is the value that the operator had answered last when `value` was written, `standing` the value that
    `value` replaced.
    """

    value: str
    handled: str | None
    standing: str | None

    def answered_by(self, issuer: OIDCIssuer) -> bool:
        """Tell whether this status is from a pass that began after the question.

        The operator copies the value that it read when the pass began. When somebody else asked after us, the operator
        copies their value, which is as good an answer.
        """
        echo = issuer.status.last_handled_reconcile_at
        if echo is None or echo == self.value:
            return echo is not None
        return echo == issuer.reconcile_requested_at and echo not in (self.handled, self.standing)


def fresh_for(issuer: OIDCIssuer) -> timedelta:
    """Return how long a status counts as fresh, which is also the time that the operator has for an answer."""
    return min(max(issuer.spec.interval * FRESH_INTERVALS, _SHORTEST_FRESH), _LONGEST_FRESH)


class ProofAge(Enum):
    """The ages that the last proof of a Ready issuer may have."""

    NEW = auto()
    OLD = auto()  # or without a time: no operator is running
    AHEAD = auto()  # a clock is wrong, so that nobody knows how old it is


def last_proof(issuer: OIDCIssuer, now: datetime) -> ProofAge:
    """Tell whether the last proof counts at `now` without a question to the operator.

    The operator writes the time of a proof at most once in a coarse period. When a coarse period and three intervals
    have passed without a new proof, no operator is running.
    """
    proven, skew = issuer.status.last_proven_time, issuer.spec.rotation.clock_skew
    if proven is not None and proven > now + skew:
        return ProofAge.AHEAD
    expired = proven is None or proven + COARSE + issuer.spec.interval * FRESH_INTERVALS + skew < now
    return ProofAge.OLD if expired else ProofAge.NEW


def condition(issuer: OIDCIssuer, kind: ConditionType) -> StatusCondition | None:
    """Find the condition of a type, None when the status does not have it."""
    return next((c for c in issuer.status.conditions if c.type == kind), None)


def judge_ready(issuer: OIDCIssuer, now: datetime) -> Verdict:
    """Judge whether the issuer is Ready now, in its present generation."""
    name = issuer.metadata.name
    obstacle = held_up(issuer)
    if obstacle is not None:
        return obstacle
    ready = condition(issuer, ConditionType.READY)
    if ready is None or ready.reason == Reason.WaitingForOperator:
        return Verdict(VerdictKind.NOT_YET, f"No operator has looked at {name} yet.", silent=True)
    if ready.status != "True":
        return Verdict(VerdictKind.NOT_YET, f"{name} is not Ready: {ready.reason}. {ready.message}")
    if last_proof(issuer, now) is not ProofAge.NEW:
        return Verdict(VerdictKind.NOT_YET, _unproven(issuer, now), silent=True)
    return Verdict(VerdictKind.YES, f"{name} is Ready: {ready.reason}.")


def judge_pass(issuer: OIDCIssuer, now: datetime) -> Verdict:
    """Judge the pass that a status is from; the caller knows that the status is fresh (R10)."""
    verdict = judge_ready(issuer, now)
    final = verdict.answer is VerdictKind.NOT_YET and not verdict.silent
    return replace(verdict, answer=VerdictKind.NO) if final else verdict


def _unproven(issuer: OIDCIssuer, now: datetime) -> str:
    name, proven = issuer.metadata.name, issuer.status.last_proven_time
    if proven is None:
        return f"{name} is Ready, but its status does not say when it was last proven."
    if last_proof(issuer, now) is ProofAge.AHEAD:
        return f"{name} was last proven at {both(proven, now)}, which lies ahead: a clock is wrong, of the operator or of this machine."
    return f"{name} was Ready when it was last proven at {both(proven, now)}; the operator does not look any more."


def judge_key(issuer: OIDCIssuer, key_id: str, now: datetime) -> Verdict:
    """Judge whether the cluster may sign with a key; the caller knows that the status is fresh (R10)."""
    obstacle = held_up(issuer) or _no_plan(issuer)
    if obstacle is not None:
        return obstacle
    key = next((k for k in issuer.status.keys if k.key_id == key_id), None)
    if key_id in issuer.spec.rotation.withdrawn_key_ids:
        return Verdict(
            VerdictKind.NO, f"Key {key_id} is withdrawn (spec.rotation.withdrawnKeyIDs). Never sign with it.", key=key
        )
    longer = [other.key_id for other in issuer.status.keys if key_id and other.key_id.startswith(key_id)]
    if key is None and longer:
        return Verdict(VerdictKind.NO, f"There is no key {key_id}. A key ID is given in full: {' or '.join(longer)}")
    verdict = _unknown(issuer, key_id) if key is None else _judge_known(issuer, key, now)
    doubt = "" if key is not None and key.leaving else _restarting(issuer, now)
    if verdict.answer is VerdictKind.YES:
        doubt = doubt or _unread(issuer)
    if verdict.answer is VerdictKind.NOT_YET or not doubt:
        return verdict
    # A sentence that counted the seconds would be printed each second.
    otherwise = f"no source lists key {key_id}" if key is None else f"key {key_id} is {key.state}"
    return replace(verdict, answer=VerdictKind.NOT_YET, sentence=f"{doubt} By the others {otherwise}.")


def _restarting(issuer: OIDCIssuer, now: datetime) -> str:
    """Say which API servers left so lately that they may be restarting; empty when there are none.

    Nothing final follows from a pass that ran meanwhile: what only such an API server lists counts as listed by nobody,
    and what it has lost as listed by all.
    """
    endpoints = issuer.status.ledger.endpoints if issuer.status.ledger else ()
    left = {e.address: e.gone_since_time for e in endpoints if e.gone_since_time is not None}
    lately = {address: since + _RESTART for address, since in left.items() if since + _RESTART > now}
    if not lately:
        return ""
    names, until = ", ".join(sorted(lately)), format_time(max(lately.values()))
    return (
        f"API server {names} has just left, as during a restart: nobody knows what it lists until it is back, and at "
        f"{until} it counts as gone."
    )


def _unread(issuer: OIDCIssuer) -> str:
    """Say what could not be read in the pass, which may be an API server that has lost the key; empty where all was read."""
    trouble = _trouble(issuer, ConditionType.KEYS_READ)
    return f"Not everything that lists keys could be read.{trouble}" if trouble else ""


def _judge_known(issuer: OIDCIssuer, key: StatusKey, now: datetime) -> Verdict:
    name = f"Key {key.key_id}"
    if key.leaving or key.unused_since_time is not None:
        return _judge_unused(key, now)
    if key.unlisted_by and key.known_to_caches:
        return Verdict(VerdictKind.NOT_YET, f"{name} is known to every cache.{_unlisted(key)}", key=key)
    if key.safe_since_time is not None and not key.unlisted_by:
        unlisted = "" if key.origins else " But no source lists it: add it to the key files of the API servers first."
        return Verdict(
            VerdictKind.YES, f"{name} is safe to sign with since {both(key.safe_since_time, now)}.{unlisted}", key=key
        )
    if key.safe_to_sign_time is None:
        obstacle = f"{_obstacle(issuer, key)}{_unlisted(key)}"
        return Verdict(VerdictKind.NOT_YET, f"{name} is {key.state}, and {obstacle}", key=key)
    if key.safe_to_sign_time > now:
        sentence = f"{name} is served, and is safe to sign with from {both(key.safe_to_sign_time, now)}."
        return Verdict(VerdictKind.NOT_YET, sentence + _unlisted(key), not_before=key.safe_to_sign_time, key=key)
    due = f"{name} was due at {both(key.safe_to_sign_time, now)}, and has to be seen at the public URL once more"
    sentence = f"{due}, in a pass that reads every API server."
    trouble = _trouble(issuer, ConditionType.SERVED) or _trouble(issuer, ConditionType.KEYS_READ)
    return Verdict(VerdictKind.NOT_YET, f"{sentence}{_unlisted(key)}{trouble}", key=key)


def _judge_unused(key: StatusKey, now: datetime) -> Verdict:
    name = f"Key {key.key_id}"
    if key.leaving or key.unused_since_time is None:
        return Verdict(VerdictKind.NO, f"{name} is Leaving the published set: nothing used it any more.", key=key)
    since = both(key.unused_since_time, now)
    sentence = f"{name} is Retiring: no source lists it and nothing signs with it since {since}."
    return Verdict(VerdictKind.NO, f"{sentence} Add it to the key files of the API servers first.", key=key)


def _unlisted(key: StatusKey) -> str:
    """Name the API servers that would refuse tokens of this key (R15), in a sentence to append."""
    if not key.unlisted_by:
        return ""
    lacking = ", ".join(key.unlisted_by)
    return f" But API server {lacking} does not list it, and would refuse its tokens: add it to the key files there."


def held_up(issuer: OIDCIssuer) -> Verdict | None:
    """Return the verdict on an issuer that no pass is made for at present, None when passes are made."""
    name = issuer.metadata.name
    if issuer.metadata.deletion_timestamp is not None:
        return Verdict(
            VerdictKind.NONE, f"{name} is being deleted: nothing is read, published or proven for it any more."
        )
    if issuer.spec.suspend:
        return Verdict(VerdictKind.NONE, f"{name} is suspended: {SUSPENDED}")
    if issuer.status.observed_generation != issuer.metadata.generation:
        return Verdict(VerdictKind.NOT_YET, f"The operator has not seen the latest change of {name}.", silent=True)
    return None


def _no_plan(issuer: OIDCIssuer) -> Verdict | None:
    """Return the verdict on a status without a plan, None when the last pass has planned.

    A pass that ends before its plan repeats the ledger of an earlier pass, and leaves SafeToSign unknown.
    """
    planned = condition(issuer, ConditionType.SAFE_TO_SIGN)
    unknown = planned is None or (planned.status == "Unknown" and planned.reason != Reason.ClockUntrusted)
    if not unknown:
        return None
    trouble = _trouble(issuer, ConditionType.READY)
    return Verdict(VerdictKind.NOT_YET, f"The operator could not look at the keys.{trouble}", silent=True)


def _unknown(issuer: OIDCIssuer, key_id: str) -> Verdict:
    read = condition(issuer, ConditionType.KEYS_READ)
    if read is None or read.status != "True":
        trouble = _trouble(issuer, ConditionType.KEYS_READ)
        return Verdict(
            VerdictKind.NOT_YET, f"No source lists key {key_id}, but not all of them could be read.{trouble}"
        )
    known = [key.key_id for key in issuer.status.keys]
    listed = f"Known are {', '.join(known)}." if known else "No key is known."
    return Verdict(
        VerdictKind.NO, f"No source lists key {key_id}: add it to the key files of the API servers. {listed}"
    )


def _obstacle(issuer: OIDCIssuer, key: StatusKey) -> str:
    if key.published_time is None:
        pending = "is not published yet."
        return pending + (_trouble(issuer, ConditionType.PUBLISHED) or _finding_about(issuer, Reason.TooManyKeys))
    return "has not been seen at the public URL yet." + _trouble(issuer, ConditionType.SERVED)


def _trouble(issuer: OIDCIssuer, kind: ConditionType) -> str:
    """Quote the reason and the message of a condition that is not True, in a sentence to append."""
    found = condition(issuer, kind)
    if found is None or found.status == "True":
        return ""
    return f" {found.reason}: {found.message}"


def _finding_about(issuer: OIDCIssuer, reason: Reason) -> str:
    found = (f for f in issuer.status.findings if f.reason == reason)
    return next((f" {f.reason}: {joined(f.message, f.advice)}" for f in found), "")
