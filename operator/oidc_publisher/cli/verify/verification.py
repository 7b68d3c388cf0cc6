"""The result of `verify` as one value, the same for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from oidc_publisher.api import RelyingParty
from oidc_publisher.cli.text.marks import CheckResult


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """The certificate that an address presents, trusted or not; `chain_length` counts the certificates that are sent."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after_time: datetime
    days_left: int
    signature: str
    chain_length: int


@dataclass(frozen=True, slots=True)
class AddressLine:
    """One address of a host, with the times (ms) of its steps; `problem` says which step failed."""

    address: str
    result: CheckResult
    public: bool
    connect_ms: int | None = None
    handshake_ms: int | None = None
    tls_version: str = ""
    cipher: str = ""
    certificate: CertificateLine | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class HostPart:
    """A host that relying parties connect to: the issuer's, and the key set's where that is another one.

    `proxy` names the proxy that resolves the name, in which case no address is known.
    """

    name: str
    resolved_ms: int | None
    proxy: str
    addresses: tuple[AddressLine, ...]


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One fetch of one document; `read` counts the reads from 0. `ms` includes name resolution and handshake, if any.

    `max_age_seconds` is how long caches may keep the document, `age_seconds` how long a cache has kept it (Age).
    """

    document: str
    read: int
    url: str
    result: CheckResult
    status: int | None
    ms: int | None
    size_bytes: int | None
    address: str
    content_type: str
    cache_control: str
    max_age_seconds: int | None
    age_seconds: int | None
    headers: Mapping[str, str]
    problem: str


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule: whether the issuer keeps it, what was seen, and who says that it has to be kept.

    `party` is the relying party whose rule it is, empty for a rule that all share. `reasons` are the reasons of the
    findings that break the rule. NO_ANSWER means that the probe did not come so far.
    """

    rule: str
    party: str
    result: CheckResult
    found: str
    source: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingLine:
    """A finding of the probe, as the operator reports it in a status."""

    reason: str
    severity: str
    subject: str
    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class KeyShown:
    """A key of the served set that verifiers can use."""

    key_id: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class PartyLine:
    """Whether a relying party can use the issuer; WARNING means that it may refuse it. `because` holds why not."""

    party: RelyingParty
    result: CheckResult
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """One check of a token: what was compared, and what was found."""

    check: str
    result: CheckResult
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class PartyWords:
    """What a relying party would answer to the token, in its own words (empty where it would accept it), and the source."""

    party: RelyingParty
    result: CheckResult
    words: str
    means: str


@dataclass(frozen=True, slots=True)
class TokenPart:
    """The token explained, without its signature: header, known claims, checks, and what relying parties would say."""

    header: Mapping[str, str]
    claims: Mapping[str, str]
    other_claims: tuple[str, ...]
    checks: tuple[TokenCheck, ...]
    parties: tuple[PartyWords, ...]


@dataclass(frozen=True, slots=True)
class KnownLine:
    """One thing that the operator knows, beside what this machine sees of it now."""

    what: str
    operator: str
    world: str
    result: CheckResult


@dataclass(frozen=True, slots=True)
class OperatorPart:
    """What the operator says about its OIDCIssuer."""

    name: str
    lines: tuple[KnownLine, ...]


@dataclass(frozen=True, slots=True)
class LoadPart:
    """What many strangers at once got: how many read both documents in time, and what became of the others."""

    strangers: int
    served: int
    median_ms: int | None
    slowest_ms: int | None
    others: Mapping[str, int]
    result: CheckResult
    found: str
    advice: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The whole result. `sentence` says who can use the issuer and who cannot, `first` what to change first."""

    issuer_url: str
    time: datetime
    result: CheckResult
    sentence: str
    first: str
    parties: tuple[PartyLine, ...]
    hosts: tuple[HostPart, ...]
    documents: tuple[DocumentLine, ...]
    keys: tuple[KeyShown, ...]
    rules: tuple[RuleLine, ...]
    findings: tuple[FindingLine, ...]
    token: TokenPart | None = None
    operator: OperatorPart | None = None
    load: LoadPart | None = None
