"""Judge what the status of a SigningKeyRing says: names of versions, and what is wrong at which signer. Pure.

Nothing decides by that status. Its names sort keys for people, and its findings are warnings among those of an OIDCIssuer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from oidc_publisher.api.durations import format_duration
from oidc_publisher.api.managed import RING_NAME, SigningKeyRing, StatusSigner
from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.keys import parse_version
from oidc_publisher.wording import listed

#: A signer reports once a minute. Beyond this and the clock skew it is silent.
SILENT: Final = timedelta(minutes=5)
_SUBJECT: Final = f"SigningKeyRing {RING_NAME}"
#: Of more nodes than this the rest is counted, not named.
_NAMED: Final = 8

#: What signers say by one word, as a clause after their nodes.
_SAID: Mapping[Reason, str] = {
    Reason.RingUnreadable: "cannot read the ring of signing keys, and goes on with what its disk holds",
    Reason.RingReplaced: "finds another ring in the Secret than on its disk, and goes on with what its disk holds",
    Reason.RingBehind: "makes no version, because a ledger holds a key that the ring does not know",
    Reason.VersionConflict: "found two keys of one version, and gave one of them a new number",
    Reason.ManagedRotationBlocked: "makes no version that is asked for or due",
}
#: Reasons whose obstacle `waitingFor` describes, behind these words. What a version waits for that exists is another thing.
_WAITING: Final = frozenset({Reason.RingBehind, Reason.ManagedRotationBlocked})
_NEW_VERSION: Final = "a new version: "


def ring_versions(ring: SigningKeyRing) -> dict[str, int]:
    """Return the version of each key ID that the ring claims. A number that is none is left out."""
    claimed: dict[str, int] = {}
    for version in ring.status.versions:
        try:
            number = parse_version(version.version)
        except KeyRefusedError:
            continue
        if version.key_id:
            claimed.setdefault(version.key_id, number)
    return claimed


def ring_findings(
    ring: SigningKeyRing, *, max_token_lifetime: timedelta, clock_skew: timedelta, now: datetime | None
) -> tuple[Finding, ...]:
    """Return what the signers' reports give reason to say.

    `now` is None where no clock is trusted: then nobody is called silent. What a silent signer reported counts no more.
    """
    silent, present = _by_silence(ring.status.signers, clock_skew, now)
    found = [_silence(silent)] if silent else []
    found += _reported(present, ring.status.waiting_for or "")
    found += _lifetimes(present, max_token_lifetime)
    return tuple(found)


def _by_silence(
    signers: Iterable[StatusSigner], clock_skew: timedelta, now: datetime | None
) -> tuple[tuple[StatusSigner, ...], tuple[StatusSigner, ...]]:
    """Return the signers that are silent, and the others."""
    known = sorted(signers, key=lambda signer: signer.node)
    silent = tuple(signer for signer in known if now is not None and _is_silent(signer, now - SILENT - clock_skew))
    return silent, tuple(signer for signer in known if signer not in silent)


def _is_silent(signer: StatusSigner, since: datetime) -> bool:
    return signer.last_seen_time is None or signer.last_seen_time < since


def _silence(silent: Iterable[StatusSigner]) -> Finding:
    said = (f"{signer.node} ({_last(signer)})" for signer in silent)
    return _finding(Reason.SignerSilent, f"Nothing is heard of the signer of {listed(said, most=_NAMED)}")


def _last(signer: StatusSigner) -> str:
    return f"last at {signer.last_seen_time:%Y-%m-%dT%H:%M:%SZ}" if signer.last_seen_time else "never reported"


def _reported(signers: Iterable[StatusSigner], waiting_for: str) -> Iterator[Finding]:
    """Yield one finding for each reason, however many signers report it."""
    nodes: dict[Reason, list[str]] = {}
    for signer in signers:
        for reason in _SAID:
            if reason in signer.findings:
                nodes.setdefault(reason, []).append(signer.node)
    obstacle = waiting_for.removeprefix(_NEW_VERSION) if waiting_for.startswith(_NEW_VERSION) else ""
    for reason, where in nodes.items():
        why = f": {obstacle}" if obstacle and reason in _WAITING else ""
        yield _finding(reason, f"The signer of {listed(where, most=_NAMED)} {_SAID[reason]}{why}")


def _lifetimes(signers: Iterable[StatusSigner], policy: timedelta) -> Iterator[Finding]:
    """Yield the finding about signers that allow tokens which outlive their key (S18)."""
    beyond = [signer for signer in signers if signer.max_token_lifetime and signer.max_token_lifetime > policy]
    if not beyond:
        return
    longest = format_duration(max(signer.max_token_lifetime or policy for signer in beyond))
    nodes, allowed = listed((signer.node for signer in beyond), most=_NAMED), format_duration(policy)
    message = f"The signer of {nodes} allows tokens of {longest}, longer than rotation.maxTokenLifetime ({allowed})"
    hint = f"Start every signer with a --max-token-lifetime of at most {allowed}, or raise rotation.maxTokenLifetime."
    yield _finding(Reason.TokenOutlivesPolicy, message, hint=hint)


def _finding(reason: Reason, message: str, *, hint: str | None = None) -> Finding:
    """Make a warning. Critical is what concerns the ring alone, too: what this issuer publishes was proven."""
    return Finding.of(reason, message, subject=_SUBJECT, hint=hint, severity=Severity.WARNING)
