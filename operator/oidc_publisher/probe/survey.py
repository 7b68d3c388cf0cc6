"""Probe an issuer of which nothing but its URL is known: the key set is where the discovery document says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from oidc_publisher.documents import discovery_url
from oidc_publisher.errors import DocumentInvalidError, FetchError
from oidc_publisher.findings import Finding, Reason, Severity, sorted_findings
from oidc_publisher.probe.answers import parsed_discovery
from oidc_publisher.probe.judge import Expected, Judgement, judge
from oidc_publisher.probe.look import Look, Read, Target, look
from oidc_publisher.probe.text import host_of, shown
from oidc_publisher.probe.wire.port import Deadline, Fetched, Wire
from oidc_publisher.timing.clock import Clock, SystemClock


async def survey(
    issuer_url: str,
    wire: Wire,
    *,
    timeout: timedelta,  # noqa: ASYNC109 - of each visit, as in the spec
    stranger: Wire | None = None,
    reads: int = 2,
    clock: Clock | None = None,
) -> tuple[Look, str | None]:
    """Probe the issuer as `look` does, and return the jwks_uri that its discovery document names, None without one.

    One more visit reads the discovery document first, because relying parties ask the host that it names for the keys. A
    failure of that visit counts when a second try confirms it. A jwks_uri that no relying party may follow is not
    followed either, and the look then holds no key set.
    """
    first = await _discovery(issuer_url, wire, timeout)
    named = _jwks_uri(first)
    if named is None:
        first = await _discovery(issuer_url, wire, timeout)
        named = _jwks_uri(first)
    if named is None or flaw_of(named):
        return Look((Read(first, None),), (clock or SystemClock()).now()), named
    target = Target(issuer_url, named, timeout)
    return await look(target, wire, stranger=stranger, clock=clock, reads=reads), named


def judge_survey(seen: Look, named: str | None, expected: Expected) -> Judgement:
    """Judge a survey as `judge` does; the jwks_uri is judged by the standard's rules, because no other one is expected."""
    judgement = judge(seen, replace(expected, jwks_uri=named or expected.jwks_uri))
    finding = _about(named, expected.issuer_url) if named else None
    return replace(judgement, findings=sorted_findings((*judgement.findings, finding))) if finding else judgement


def flaw_of(jwks_uri: str) -> str:
    """Return why relying parties do not read keys at this URL, empty where they do."""
    try:
        parts = urlsplit(jwks_uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "which is no URL"
    if parts.scheme != "https":
        return "and keys are read over https only"
    if not host or not jwks_uri.isascii() or not jwks_uri.isprintable() or " " in jwks_uri:
        return "which is no URL"
    return "which has user information" if "@" in parts.netloc else ""


def _about(jwks_uri: str, issuer_url: str) -> Finding | None:
    url, flaw = discovery_url(issuer_url), flaw_of(jwks_uri)
    if flaw:
        message = f"{url} names the jwks_uri {shown(_without_user(jwks_uri))}, {flaw}"
        return Finding.of(
            Reason.JWKSURIInvalid, message, subject=url, hint="Name an https URL without user information."
        )
    if host_of(jwks_uri) == host_of(issuer_url):
        return None
    message = f"{url} names a jwks_uri at another host, {host_of(jwks_uri)}"
    hint = "The standard allows it; that host has to be as reachable, and its certificate as good, as the issuer's own."
    return Finding.of(Reason.JWKSURIInvalid, message, subject=url, hint=hint, severity=Severity.INFO)


def _without_user(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def _jwks_uri(answer: Fetched | FetchError) -> str | None:
    if isinstance(answer, FetchError) or answer.status != HTTPStatus.OK or answer.oversized:
        return None
    try:
        return parsed_discovery(answer.body).jwks_uri
    except DocumentInvalidError:
        return None


async def _discovery(issuer_url: str, wire: Wire, timeout: timedelta) -> Fetched | FetchError:  # noqa: ASYNC109
    try:
        async with wire.visit(0) as visit:
            return await visit.get(discovery_url(issuer_url), Deadline.after(timeout))
    except FetchError as error:
        return error
