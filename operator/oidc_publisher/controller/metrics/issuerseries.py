"""The series of one issuer: what was noted of the issuer, and its samples at one instant.

The event loop notes, and the thread of a scrape reads: each note replaces a whole value, and a scrape copies a dict before
it walks through the dict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus, StatusKey
from oidc_publisher.controller.metrics import metriclist as m
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe.wire.port import Phases
from oidc_publisher.reconcile.passes import PassDone
from oidc_publisher.rotation import State

#: A metric, the values of its labels, and its value.
Sample = tuple[m.Metric, tuple[str, ...], float]

_STATUSES = ("True", "False", "Unknown")
_RESULTS = ("changed", "unchanged", "failed")
_UNUSED = (State.RETIRING, State.LEAVING)


@dataclass(slots=True)
class IssuerSeries:
    """IssuerSeries holds what was noted of one issuer. All of its series go when it is dropped."""

    name: str
    uid: str = ""
    status: OIDCIssuerStatus = field(default_factory=OIDCIssuerStatus)
    suspended: bool | None = None
    interval_s: float | None = None
    passed_at: datetime | None = None
    proven_at: datetime | None = None
    expires_at: datetime | None = None
    phases: Phases | None = None
    results: Counter[str] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    errors: int = 0
    repairs: int = 0

    def seen(self, issuer: OIDCIssuer) -> None:
        """Note the object as it was read."""
        self.status, self.suspended = issuer.status, issuer.spec.suspend
        self.interval_s = issuer.spec.interval.total_seconds()
        if self.suspended:  # nobody looks at the URL any more, and the certificate may have been renewed
            self.expires_at = self.phases = None

    def passed(self, done: PassDone, now: datetime) -> None:
        """Note a pass that ended now."""
        self.seen(done.issuer)
        self.results["failed" if done.failed else "changed" if done.changes else "unchanged"] += 1
        self.passed_at = now
        if done.proven:
            self.proven_at = now
        self.happened(done.events)

    def happened(self, events: Iterable[Finding]) -> None:
        """Note the events of a pass."""
        self.repairs += sum(event.reason is Reason.DriftRepaired for event in events)

    def called(self, operation: str, code: str, *, error: bool) -> None:
        """Note a call of the store."""
        self.calls[operation, code] += 1
        self.errors += error

    def samples(self, now: datetime, *, per_key: bool) -> Iterator[Sample]:
        """Yield every sample at the instant `now`."""
        for metric, labels, value in (
            *self._facts(now),
            *self._counts(),
            *_of_status(self.status, now, per_key=per_key),
        ):
            yield metric, (self.name, *labels), value

    def _facts(self, now: datetime) -> Iterator[Sample]:
        proven_at = self.proven_at or self.status.last_proven_time
        if self.suspended is not None:
            yield m.SUSPENDED, (), float(self.suspended)
        if self.interval_s is not None:
            yield m.INTERVAL, (), self.interval_s
        if self.passed_at is not None:
            yield m.LAST_PASS, (), self.passed_at.timestamp()
        if proven_at is not None:
            yield m.PROOF_TIME, (), proven_at.timestamp()
            yield m.PROOF_AGE, (), (now - proven_at).total_seconds()
        if self.expires_at is not None:
            yield m.CERTIFICATE, (), (self.expires_at - now).total_seconds()
        if (phases := self.phases) is not None:
            for phase in ("resolve", "connect", "tls", "processing", "transfer"):
                yield m.PROBE_SECONDS, (phase,), getattr(phases, phase)

    def _counts(self) -> Iterator[Sample]:
        for result in _RESULTS:
            yield m.RECONCILES, (result,), self.results[result]
        # The first error is an increase only where the series was there before.
        for labels, count in ({("read", "ok"): 0, ("write", "ok"): 0} | dict(self.calls)).items():
            yield m.STORE_CALLS, labels, count
        yield m.STORE_ERRORS, (), self.errors
        yield m.DRIFT_REPAIRS, (), self.repairs


def _of_status(status: OIDCIssuerStatus, now: datetime, *, per_key: bool) -> Iterator[Sample]:
    for condition in status.conditions:
        for value in _STATUSES:
            yield m.CONDITION, (condition.type, value), float(condition.status == value)
    for labels, count in Counter((finding.reason, finding.severity) for finding in status.findings).items():
        yield m.FINDINGS, labels, count
    if status.publication is not None and status.publication.key_count is not None:
        yield m.PUBLISHED_KEYS, (), status.publication.key_count
    yield from _of_keys(status, now)
    if per_key:
        for key in status.keys:
            yield from _of_key(key, now)


def _of_keys(status: OIDCIssuerStatus, now: datetime) -> Iterator[Sample]:
    keys = status.keys
    if status.ledger is None:  # no pass has read anything yet
        return
    states = Counter(key.state for key in keys)
    for state in State:
        yield m.KEYS, (state.value,), states[state.value]
    waiting = [key.safe_to_sign_time for key in keys if key.safe_to_sign_time and _waits(key)]
    if waiting:
        yield m.NEXT_SAFE, (), (min(waiting) - now).total_seconds()
    retiring = [key.retire_time for key in keys if key.retire_time]
    if retiring:
        yield m.NEXT_RETIREMENT, (), (min(retiring) - now).total_seconds()
    signing = [key.first_seen_time for key in keys if key.key_id in status.signing_key_ids and key.first_seen_time]
    if signing:
        yield m.SIGNER_AGE, (), (now - min(signing)).total_seconds()
    used = [key for key in keys if key.state not in _UNUSED]
    if used:
        yield m.ALL_SAFE, (), float(all(key.safe_since_time for key in used))


def _of_key(key: StatusKey, now: datetime) -> Iterator[Sample]:
    if key.state is not None:
        yield m.KEY_STATE, (key.key_id, key.state), 1.0
    if key.safe_to_sign_time and _waits(key):
        yield m.KEY_SAFE, (key.key_id,), (key.safe_to_sign_time - now).total_seconds()
    if key.retire_time:
        yield m.KEY_RETIREMENT, (key.key_id,), (key.retire_time - now).total_seconds()


def _waits(key: StatusKey) -> bool:
    return key.safe_since_time is None and key.state not in _UNUSED
