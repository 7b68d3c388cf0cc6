"""Judge one probe of an issuer: its findings, and what it read. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from oidc_publisher.api import RelyingParty
from oidc_publisher.documents import Discovery, KeySet
from oidc_publisher.findings import Finding, Reason, Severity, sorted_findings
from oidc_publisher.keys import PublicKey
from oidc_publisher.keys.jwk import key_members
from oidc_publisher.probe.answers import (
    DISCOVERY_TYPES,
    JWKS_TYPES,
    JudgedAnswer,
    expiring,
    judge_answer,
    parsed_discovery,
    parsed_jwks,
)
from oidc_publisher.probe.keysets import disagreement, judge_key_sets
from oidc_publisher.probe.look import Look, Read
from oidc_publisher.probe.text import host_of, shown, spoken
from oidc_publisher.probe.wire.port import BODY_LIMIT_BYTES, Fetched
from oidc_publisher.relyingparties import ServedIssuer, broken_library_rules, broken_rules

#: The failures of a client that does not trust the issuer's own certificate authority.
_UNTRUSTED = frozenset({Reason.CertificateUntrusted, Reason.CertificateChainIncomplete})

#: STS gives up after 5 s. A host that takes longer than this has no reserve (relying-parties.md).
SLOW = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Expected:
    """The expectation holds what the issuer should serve.

    `keys`: the published keys. `cache_max_age`: the published cache age. Where one of them is None it is not compared,
    for an issuer whose plan is not known (`oidc-publisher verify URL`).
    `algorithms`: the algorithms that must be advertised, beside those of the served keys.
    `former_key_ids`: the kids of keys that were published before. A served set with one of them is a stale copy, not
    the set of another issuer.
    `propagating`: the last write is younger than the longest cache age. Caches may then serve an older copy, so
    findings about an older copy are warnings.
    """

    issuer_url: str
    jwks_uri: str
    keys: tuple[PublicKey, ...] | None
    algorithms: frozenset[str]
    cache_max_age: timedelta | None
    relying_parties: tuple[RelyingParty, ...] = ()
    former_key_ids: frozenset[str] = frozenset()
    propagating: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement holds the findings of one probe, root cause first, and what the probe read.

    `served` is what relying parties get, None where one of the documents was not read; the rules of a party apply to it.
    `achieved` is the sentence of a successful probe, empty otherwise. `issuer_url` and `jwks_uri` are those of the served
    discovery document, None where none was read. `jwks` are the bytes of the first key set that was read; minted tokens are
    verified against them.
    """

    findings: tuple[Finding, ...]
    achieved: str
    issuer_url: str | None
    jwks_uri: str | None
    jwks: bytes | None
    served: ServedIssuer | None = None


def judge(look: Look, expected: Expected) -> Judgement:
    """Apply the rules that all relying parties share, and those of the relying parties in `expected`."""
    found: list[Finding] = []
    discoveries, key_sets = _answers(look, expected, found)
    found.extend(_of_the_host(look, expected))
    found.extend(_of_discovery(discoveries, expected, _algorithms(key_sets, expected)))
    found.extend(judge_key_sets(key_sets, expected.keys, expected.former_key_ids, _severity(expected)))
    served = _served(discoveries, key_sets, look, expected)
    found.extend(_of_parties(served, expected))
    found.extend(_of_the_stranger(look))
    findings = sorted_findings(found)
    discovery = next((a.document for a in discoveries if a.document), None)
    good = discovery is not None and not any(f.unknown or f.severity is Severity.CRITICAL for f in findings)
    return Judgement(
        findings=findings,
        achieved=_achieved(expected, key_sets) if good else "",
        issuer_url=discovery.issuer if discovery else None,
        jwks_uri=discovery.jwks_uri if discovery else None,
        jwks=next((a.fetched.body for a in key_sets if a.document), None),
        served=served,
    )


def _answers(
    look: Look, expected: Expected, found: list[Finding]
) -> tuple[list[JudgedAnswer[Discovery]], list[JudgedAnswer[KeySet]]]:
    discoveries: list[JudgedAnswer[Discovery]] = []
    key_sets: list[JudgedAnswer[KeySet]] = []
    for read in look.reads:
        discovery, problems = judge_answer(read.discovery, parsed_discovery, DISCOVERY_TYPES, expected.cache_max_age)
        found.extend(problems)
        discoveries.extend([discovery] if discovery else [])
        key_set, problems = judge_answer(read.jwks, parsed_jwks, JWKS_TYPES, expected.cache_max_age)
        found.extend(problems)
        key_sets.extend([key_set] if key_set else [])
    return discoveries, key_sets


def _of_the_host(look: Look, expected: Expected) -> Iterator[Finding]:
    fetched = list(_fetched(look))
    for sentence in dict.fromkeys(answer.opened_tls for answer in fetched if answer.opened_tls):
        yield Finding.of(Reason.ProxyBreaksTLS, sentence, subject=expected.issuer_url)
    for answer in fetched:
        own = host_of(answer.url) == host_of(expected.issuer_url)  # the key set may be at a host of its own
        yield from expiring(answer.certificate, expected.issuer_url if own else answer.url, look.at)
    whole = [read for read in look.reads if read.whole]
    if whole and min(map(_elapsed, whole)) > SLOW:  # a finding needs two slow reads, as with failures
        message = f"{host_of(expected.issuer_url)} takes longer than {spoken(SLOW)} for both documents"
        yield Finding.of(Reason.TooSlow, message, subject=expected.issuer_url, severity=Severity.WARNING)


def _elapsed(read: Read) -> timedelta:
    """Return the time of both documents, without that in which the reader did not run and may have kept the host waiting."""
    return sum((a.elapsed - a.starved for a in (read.discovery, read.jwks) if isinstance(a, Fetched)), timedelta())


def _algorithms(key_sets: list[JudgedAnswer[KeySet]], expected: Expected) -> frozenset[str]:
    """Return the algorithms that must be advertised: the published ones, and those of all served keys."""
    return expected.algorithms.union(key.algorithm for a in key_sets if a.document for key in a.document.keys)


def _of_discovery(
    answers: list[JudgedAnswer[Discovery]], expected: Expected, algorithms: frozenset[str]
) -> Iterator[Finding]:
    for answer in answers:
        discovery, url = answer.document, answer.fetched.url
        if discovery is None:
            continue
        if discovery.issuer != expected.issuer_url:
            message = f"{url} names the issuer {shown(discovery.issuer)}, not {shown(expected.issuer_url)}"
            yield Finding.of(Reason.IssuerMismatch, message, subject=url)
        if discovery.jwks_uri != expected.jwks_uri:
            message = f"{url} names the jwks_uri {shown(discovery.jwks_uri)}, not {shown(expected.jwks_uri)}"
            yield Finding.of(Reason.JWKSURIInvalid, message, subject=url)
        # OpenID Connect Discovery requires the list. Verifiers that find none accept RS256 only (go-oidc).
        missing = sorted(algorithms - set(discovery.algorithms or ("RS256",)))
        if missing:
            message = f"{url} does not advertise {', '.join(missing)}"
            yield Finding.of(Reason.AlgorithmsIncomplete, message, subject=url, severity=_severity(expected))
    if disagreement([_meaning(answer) for answer in answers]):
        message = f"Repeated reads of {answers[0].fetched.url} give different documents"
        yield Finding.of(Reason.AnswersDisagree, message, subject=answers[0].fetched.url, severity=_severity(expected))


def _meaning(answer: JudgedAnswer[Discovery]) -> object:
    discovery = answer.document
    if discovery is None:
        return answer.fetched.status if answer.fetched.status != HTTPStatus.OK else "invalid"
    return discovery.issuer, discovery.jwks_uri, frozenset(discovery.algorithms)


def _served(
    discoveries: list[JudgedAnswer[Discovery]], key_sets: list[JudgedAnswer[KeySet]], look: Look, expected: Expected
) -> ServedIssuer | None:
    """Return what relying parties get; of repeated reads that differ the first, because AnswersDisagree reports that."""
    for discovery, key_set in zip(discoveries, key_sets, strict=False):
        if discovery.document is None or key_set.document is None:
            continue
        members = key_members(key_set.fetched.body, max_bytes=BODY_LIMIT_BYTES)
        return ServedIssuer(
            expected.issuer_url,
            discovery.document.members,
            tuple(member for member in members if isinstance(member, dict)),
            jwks_size_bytes=len(key_set.fetched.body),
            private_address=_first(look, "private_address"),
            strict_refusal=_first(look, "strict_refusal"),
            negative_serial=any(answer.negative_serial for answer in _fetched(look)),
            untrusted=look.stranger.message if look.stranger and look.stranger.reason in _UNTRUSTED else "",
        )
    return None


def _of_parties(served: ServedIssuer | None, expected: Expected) -> Iterator[Finding]:
    if served is None:
        return
    asked = (rule for party in expected.relying_parties for rule in broken_rules(party, served))
    for rule in (*asked, *broken_library_rules(served)):
        severity = None if rule.certain else Severity.WARNING
        yield Finding.of(
            Reason.RelyingPartyRuleBroken,
            rule.sentence,
            subject=rule.party,
            hint=rule.hint or None,
            severity=severity,
        )


def _of_the_stranger(look: Look) -> Iterator[Finding]:
    """Report the failure of a client that trusts public certificate authorities alone, unless trust is the cause."""
    if look.stranger is not None and look.stranger.reason not in _UNTRUSTED:
        yield look.stranger.finding()


def _first(look: Look, attribute: str) -> str:
    """Return the first text that an answer has in this attribute, empty where none has one."""
    return next((text for answer in _fetched(look) if (text := str(getattr(answer, attribute)))), "")


def _fetched(look: Look) -> Iterator[Fetched]:
    return (answer for read in look.reads for answer in (read.discovery, read.jwks) if isinstance(answer, Fetched))


def _severity(expected: Expected) -> Severity:
    return Severity.WARNING if expected.propagating else Severity.CRITICAL


def _achieved(expected: Expected, key_sets: list[JudgedAnswer[KeySet]]) -> str:
    served = max((len(a.document.keys) for a in key_sets if a.document), default=0)
    what = "the one published key" if served == 1 else f"the {served} published keys"
    return f"Anybody can read both documents of {expected.issuer_url}, and they hold {what}."
