"""Put a verification together from what the probe read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from oidc_publisher.api import RelyingParty
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.verify.closing import first_change, party_lines, sentence_of, worst_of
from oidc_publisher.cli.verify.rulebook import result_of, rule_lines
from oidc_publisher.cli.verify.verification import (
    AddressLine,
    CertificateLine,
    DocumentLine,
    FindingLine,
    HostPart,
    KeyShown,
    Verification,
)
from oidc_publisher.documents import read_jwks_document
from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Finding
from oidc_publisher.harmless import harmless
from oidc_publisher.probe import Fetched, Judgement, Knock, Look, ShownCertificate
from oidc_publisher.probe.cachecontrol import longest_age

#: The headers that say how a document is served and kept, and by what.
_HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Cache-Control",
    "Age",
    "Expires",
    "Vary",
    "ETag",
    "Last-Modified",
    "Date",
    "Location",
    "Retry-After",
    "Server",
    "Via",
    "X-Cache",
)
_LONGEST_HEADER = 256
#: The findings name fields of an OIDCIssuer; these are the same settings on the command line.
_OPTIONS = (
    ("probe.allowPrivateAddress", "--allow-private-address"),
    ("probe.certificateAuthority", "--ca"),
    ("probe.relyingParties", "--for"),
    ("probe.proxyURL", "HTTPS_PROXY"),
)
#: The findings speak of the operator's own network; here it is that of the machine which somebody sits at.
_READER = (
    ("The operator's resolver", "This machine's resolver"),
    ("The operator has", "This machine has"),
    ("Give the operator", "Give this machine"),
)


def assembled(
    issuer_url: str,
    seen: Look,
    judgement: Judgement,
    hosts: Sequence[HostPart],
    parties: Sequence[RelyingParty],
    *,
    published: bool = False,
) -> Verification:
    """Return the verification of an issuer; `published` is whether the published keys were known and compared."""
    words = _READER if published else (*_READER, *_OPTIONS)
    findings = tuple(_in_words(finding, words) for finding in judgement.findings)
    shown = replace(judgement, findings=findings)
    read = judgement.served is not None
    lines = tuple(party_lines(findings, parties, read=read))
    own = result_of(findings)
    rules = rule_lines(seen, shown, parties, published=published, private=_private(hosts))
    return Verification(
        issuer_url=issuer_url,
        time=seen.at.replace(microsecond=0),
        result=worst_of((own, *([] if read else [CheckResult.NO_ANSWER]))),
        sentence=sentence_of(lines),
        first=first_change(findings),
        parties=lines,
        hosts=tuple(hosts),
        documents=tuple(_documents(seen)),
        keys=_keys(judgement.jwks),
        rules=tuple(replace(line, found=_said(line.found, words)) for line in rules),
        findings=tuple(FindingLine(f.reason.value, f.severity.value, f.subject, f.message, f.advice) for f in findings),
    )


def host_part(host: str, knocks: Sequence[Knock], now: datetime, *, proxy: str = "") -> HostPart:
    """Return the lines of a host's addresses."""
    resolved = milliseconds(knocks[0].resolved) if knocks else None
    return HostPart(host, resolved, proxy, tuple(_address(knock, now) for knock in knocks))


def host_and_port(url: str) -> tuple[str, int]:
    """Return the host and the port of an https URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def milliseconds(duration: timedelta | None) -> int | None:
    """Return a duration in whole milliseconds."""
    return None if duration is None else round(duration.total_seconds() * 1000)


def _private(hosts: Sequence[HostPart]) -> str:
    return next((line.address for host in hosts for line in host.addresses if not line.public), "")


def _in_words(finding: Finding, words: Sequence[tuple[str, str]]) -> Finding:
    return replace(finding, message=_said(finding.message, words), advice=_said(finding.advice, words))


def _said(text: str, words: Sequence[tuple[str, str]]) -> str:
    for operator, here in words:
        text = text.replace(operator, here)
    return text


def _address(knock: Knock, now: datetime) -> AddressLine:
    if not knock.routed:
        result = CheckResult.NO_ANSWER
    else:
        result = CheckResult.NO if knock.problem else CheckResult.YES if knock.public else CheckResult.WARNING
    return AddressLine(
        address=knock.address,
        result=result,
        public=knock.public,
        connect_ms=milliseconds(knock.connected),
        handshake_ms=milliseconds(knock.shaken),
        tls_version=knock.tls_version,
        cipher=knock.cipher,
        certificate=_certificate(knock.certificate, now) if knock.certificate else None,
        problem=harmless(knock.problem),
    )


def _certificate(shown: ShownCertificate, now: datetime) -> CertificateLine:
    return CertificateLine(
        subject=harmless(shown.subject),
        issuer=harmless(shown.issuer),
        names=tuple(map(harmless, shown.names)),
        not_after_time=shown.not_after,
        days_left=(shown.not_after - now).days,
        signature=shown.signature,
        chain_length=shown.chain_length,
    )


def _documents(seen: Look) -> Iterator[DocumentLine]:
    for number, read in enumerate(seen.reads):
        for document, answer in (("discovery", read.discovery), ("keySet", read.jwks)):
            if isinstance(answer, FetchError):
                yield _failed(document, number, answer)
            elif answer is not None:
                yield _fetched(document, number, answer)


def _failed(document: str, number: int, error: FetchError) -> DocumentLine:
    return DocumentLine(
        document=document,
        read=number,
        url=error.subject,
        result=CheckResult.NO_ANSWER if error.finding().unknown else CheckResult.NO,
        status=None,
        ms=None,
        size_bytes=None,
        address="",
        content_type="",
        cache_control="",
        max_age_seconds=None,
        age_seconds=None,
        headers={},
        problem=_said(error.message, _READER),
    )


def _fetched(document: str, number: int, answer: Fetched) -> DocumentLine:
    age, kept = answer.header("Age").strip(), longest_age(answer.cache_control)
    return DocumentLine(
        document=document,
        read=number,
        url=answer.url,
        result=CheckResult.YES if answer.status == HTTPStatus.OK and not answer.oversized else CheckResult.NO,
        status=answer.status,
        ms=milliseconds(answer.elapsed),
        size_bytes=len(answer.body),
        address=answer.address,
        content_type=harmless(answer.content_type),
        cache_control=harmless(answer.cache_control),
        max_age_seconds=None if kept is None else int(kept.total_seconds()),
        age_seconds=int(age) if age.isascii() and age.isdigit() and len(age) < 11 else None,  # noqa: PLR2004 - 2^31
        headers={name: harmless(value)[:_LONGEST_HEADER] for name in _HEADERS if (value := answer.header(name))},
        problem="longer than 64 KiB, and cut" if answer.oversized else "",
    )


def _keys(jwks: bytes | None) -> tuple[KeyShown, ...]:
    if jwks is None:
        return ()
    return tuple(KeyShown(key.key_id, key.algorithm) for key in read_jwks_document(jwks).keys)
