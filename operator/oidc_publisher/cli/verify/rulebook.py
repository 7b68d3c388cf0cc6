"""The rules that an issuer has to keep, each with its source, and whether this one keeps them. Pure.

The findings of the probe decide. A rule is kept where the probe came far enough to judge it, and no finding breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from oidc_publisher.api import RelyingParty
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.verify.verification import RuleLine
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.probe import Fetched, Judgement, Look
from oidc_publisher.relyingparties import ServedIssuer, applied_rules, broken_rules


class Depth(IntEnum):
    """How far the probe came; a rule is judged from its own depth on."""

    NOTHING = 0
    RESOLVED = 1
    CONNECTED = 2
    ANSWER = 3
    DISCOVERY = 4
    KEYS = 5


@dataclass(frozen=True, slots=True)
class _Rule:
    title: str
    depth: Depth
    reasons: tuple[Reason, ...]
    source: str


_STS = "AWS re:Post, InvalidIdentityToken"
_DISCOVERY = "OpenID Connect Discovery 1.0"
_PUBLIC = _Rule(
    "every address can be reached by the public",
    Depth.RESOLVED,
    (Reason.PrivateAddress,),
    "AWS, GCP and Entra connect from the internet",
)
_RULES = (
    _Rule("the name resolves", Depth.RESOLVED, (Reason.NameNotResolved,), "all relying parties"),
    _PUBLIC,
    _Rule(
        "every address answers",
        Depth.CONNECTED,
        (Reason.ConnectionFailed,),
        f"{_STS}; clients try one address, or several",
    ),
    _Rule("TLS 1.2 works", Depth.ANSWER, (Reason.TLSVersionUnsupported,), "AWS IAM, OIDC identity providers"),
    _Rule(
        "the certificate is valid, for this host, with its chain, from a trusted CA",
        Depth.ANSWER,
        (
            Reason.ProxyBreaksTLS,
            Reason.CertificateExpired,
            Reason.CertificateNameMismatch,
            Reason.CertificateChainIncomplete,
            Reason.CertificateUntrusted,
            Reason.CertificateExpiring,
        ),
        "AWS IAM, OIDC identity providers; RFC 5280",
    ),
    _Rule(
        "both documents come within the time",
        Depth.ANSWER,
        (Reason.TooSlow,),
        f"{_STS}: 5 s; from 2 s on there is no reserve",
    ),
    _Rule(
        "status 200 to anybody, without a redirect",
        Depth.ANSWER,
        (Reason.Redirected, Reason.AccessBlocked, Reason.DocumentNotFound, Reason.UnexpectedStatus),
        f"{_STS}; PyJWT, jose and openid-client refuse redirects (measured)",
    ),
    _Rule(
        "strict JSON below 64 KiB",
        Depth.ANSWER,
        (Reason.DocumentInvalid,),
        "RFC 8259; parsers of Go and Rust (measured)",
    ),
    _Rule(
        "Content-Type is JSON, without an encoding",
        Depth.ANSWER,
        (Reason.HeadersWrong,),
        "Spring Security, openidconnect-rs (measured)",
    ),
    _Rule(
        "Cache-Control states an age",
        Depth.ANSWER,
        (Reason.CacheControlWrong,),
        "kube-apiserver, go-oidc v2: up to 24 h without (measured)",
    ),
    _Rule(
        "the document names this issuer, byte for byte",
        Depth.DISCOVERY,
        (Reason.IssuerMismatch,),
        f"{_DISCOVERY}, section 4.3",
    ),
    _Rule("jwks_uri can be followed", Depth.DISCOVERY, (Reason.JWKSURIInvalid,), f"{_DISCOVERY}, section 3"),
    _Rule(
        "every key's algorithm is advertised",
        Depth.KEYS,
        (Reason.AlgorithmsIncomplete,),
        f"{_DISCOVERY}, section 3; go-oidc refuses others (measured)",
    ),
    _Rule(
        "no key makes a verifier drop the set",
        Depth.KEYS,
        (Reason.KeySetInvalid,),
        "RFC 7517, RFC 7518; go-jose, Nimbus (measured)",
    ),
    _Rule(
        "repeated reads agree",
        Depth.KEYS,
        (Reason.AnswersDisagree,),
        "each verifier keeps the copy that it read",
    ),
)
#: How far the probe came where it got no answer, by the reason of its failure.
_FAILED_AT = {
    Reason.PrivateAddress: Depth.RESOLVED,
    Reason.ConnectionFailed: Depth.RESOLVED,
    Reason.TooSlow: Depth.CONNECTED,
    **dict.fromkeys(
        (
            Reason.TLSVersionUnsupported,
            Reason.CertificateExpired,
            Reason.CertificateNameMismatch,
            Reason.CertificateChainIncomplete,
            Reason.CertificateUntrusted,
        ),
        Depth.CONNECTED,
    ),
}
#: The rules that need to know what was published.
_PUBLISHED = _Rule(
    "the published keys are served",
    Depth.KEYS,
    (Reason.StaleCopy, Reason.DifferentKeysServed),
    "the ledger of the OIDCIssuer",
)
_PARTY_TITLES = {
    "PublicAddress": "reaches it from the internet",
    "PublicTrust": "trusts its CA",
    "IssuerLength": "takes a URL of this length",
    "IssuerPort": "takes a URL with its port",
    "KeyCount": "takes this number of keys",
    "Algorithms": "accepts the keys' algorithms",
    "JWKMembers": "accepts the members of the JWKs",
    "KeyTypes": "reads a set with these key types",
}
_PARTY_SOURCES = {
    RelyingParty.AWS: "AWS IAM User Guide and CreateOpenIDConnectProvider",
    RelyingParty.GCP: "Google Cloud, Workload Identity Federation",
    RelyingParty.AZURE: "Microsoft Entra, Workload identity federation considerations",
    RelyingParty.KUBERNETES: "kube-apiserver 1.36 (measured)",
    RelyingParty.VAULT: "Vault (measured)",
}
#: Other parties of the finding RelyingPartyRuleBroken are libraries.
_PARTIES = {party.value for party in RelyingParty}


def rule_lines(
    seen: Look, judgement: Judgement, parties: Sequence[RelyingParty], *, published: bool, private: str = ""
) -> Iterator[RuleLine]:
    """Yield the line of every rule: those that all relying parties share, those of libraries, those of each party.

    `private` is a private address of the host, empty where there is none.
    """
    depth = depth_of(seen, judgement)
    for rule in (*_RULES, *((_PUBLISHED,) if published else ())):
        line = _shared(rule, depth, judgement.findings)
        if rule is _PUBLIC and line.result is CheckResult.YES:
            line = _addresses(line, seen, private)
        yield line
    yield _libraries(depth, judgement.findings)
    for party in parties:
        yield from _of_party(party, judgement.served)


def depth_of(seen: Look, judgement: Judgement) -> Depth:
    """Return how far the probe came."""
    if judgement.jwks is not None:
        return Depth.KEYS
    if judgement.issuer_url is not None:
        return Depth.DISCOVERY
    if any(isinstance(answer, Fetched) for read in seen.reads for answer in (read.discovery, read.jwks)):
        return Depth.ANSWER
    return max((_FAILED_AT.get(finding.reason, Depth.NOTHING) for finding in judgement.findings), default=Depth.NOTHING)


def _addresses(line: RuleLine, seen: Look, private: str) -> RuleLine:
    """Return the line about addresses: a private one may be allowed, and a proxy's are nobody's business here."""
    answers = [answer for read in seen.reads for answer in (read.discovery, read.jwks) if isinstance(answer, Fetched)]
    if proxy := next((answer.proxy for answer in answers if answer.proxy), ""):
        found = f"not known: the addresses are the business of the proxy {proxy}"
        return replace(line, result=CheckResult.WARNING, found=found)
    if address := private or next((answer.private_address for answer in answers if answer.private_address), ""):
        return replace(line, result=CheckResult.WARNING, found=f"{address} is private, which was allowed")
    return line


def result_of(findings: Sequence[Finding]) -> CheckResult:
    """Return what findings mean together; an Info is no warning."""
    if any(f.severity is Severity.CRITICAL and not f.unknown for f in findings):
        return CheckResult.NO
    if any(f.unknown for f in findings):
        return CheckResult.NO_ANSWER
    return CheckResult.WARNING if any(f.severity is Severity.WARNING for f in findings) else CheckResult.YES


def _shared(rule: _Rule, depth: Depth, findings: Sequence[Finding]) -> RuleLine:
    broken = [f for f in findings if f.reason in rule.reasons]
    result = result_of(broken) if broken or depth >= rule.depth else CheckResult.NO_ANSWER
    found = broken[0].message if broken else "kept" if depth >= rule.depth else "not seen"
    return RuleLine(rule.title, "", result, found, rule.source, tuple(dict.fromkeys(f.reason.value for f in broken)))


def _libraries(depth: Depth, findings: Sequence[Finding]) -> RuleLine:
    broken = [f for f in findings if f.reason is Reason.RelyingPartyRuleBroken and f.subject not in _PARTIES]
    seen = depth is Depth.KEYS
    found = broken[0].message if broken else "kept" if seen else "not seen"
    result = result_of(broken) if seen else CheckResult.NO_ANSWER
    source = "Nimbus, Spring Security, openidconnect-rs, Python 3.13 (measured); Go 1.23 (release notes)"
    reasons = tuple(dict.fromkeys(f.reason.value for f in broken))
    return RuleLine("verifier libraries read it", "", result, found, source, reasons)


def _of_party(party: RelyingParty, served: ServedIssuer | None) -> Iterator[RuleLine]:
    broken = {rule.rule: rule for rule in reversed(broken_rules(party, served))} if served else {}
    for name in applied_rules(party):
        rule, result, found = broken.get(name), CheckResult.NO_ANSWER, "not seen"
        if rule is not None:
            result, found = CheckResult.NO if rule.certain else CheckResult.WARNING, rule.sentence
        elif served is not None:
            result, found = CheckResult.YES, "kept"
        reasons = (Reason.RelyingPartyRuleBroken.value,) if rule else ()
        yield RuleLine(
            f"{party.value} {_PARTY_TITLES[name]}", party.value, result, found, _PARTY_SOURCES[party], reasons
        )
