"""Judge one answer alone: its status, its headers and its body. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Generic, TypeVar

from oidc_publisher.documents import read_discovery, read_jwks_document
from oidc_publisher.errors import DocumentInvalidError, FetchError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys.remembering import Remembered
from oidc_publisher.probe import cachecontrol
from oidc_publisher.probe.storeerrors import advice_for, advice_for_refusal, code_of, endpoint_of
from oidc_publisher.probe.text import host_of, shown, without_query
from oidc_publisher.probe.wire.port import BODY_LIMIT_BYTES, Fetched, Validity

#: A certificate's end is reported 14 days ahead, or a third of the certificate's lifetime where that is shorter.
EXPIRY_WARNING = timedelta(days=14)

# Spring refuses a discovery document with any other type, openidconnect-rs a key set (relying-parties.md, measured).
DISCOVERY_TYPES = frozenset({"application/json"})
JWKS_TYPES = frozenset({"application/json", "application/jwk-set+json"})

# Repeated reads of one issuer give equal bytes nearly always, within one probe and from one probe to the next.
parsed_discovery = Remembered(read_discovery)
parsed_jwks = read_jwks_document

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JudgedAnswer(Generic[T]):
    """One answer holds what was fetched and the parsed document, None where the body is no such document."""

    fetched: Fetched
    document: T | None


def judge_answer(
    answer: Fetched | FetchError | None, parse: Callable[[bytes], T], types: frozenset[str], max_age: timedelta | None
) -> tuple[JudgedAnswer[T] | None, tuple[Finding, ...]]:
    """Return the answer with its document, None where no answer came, and the findings about it.

    `max_age` is the published cache age. None accepts every stated age, but not an answer that states none.
    """
    if answer is None:
        return None, ()
    if isinstance(answer, FetchError):
        return None, (answer.finding(),)
    found: list[Finding] = []
    document: T | None = None
    if answer.status != HTTPStatus.OK:
        found.append(_status(answer))
    elif answer.oversized:
        found.append(_invalid(answer, f"is larger than {BODY_LIMIT_BYTES // 1024} KiB"))
    else:
        try:
            document = parse(answer.body)
        except DocumentInvalidError as error:
            found.append(_invalid(answer, error.message))
        else:
            found.extend(_not_compressed(answer))
        found.extend(_headers(answer, types, max_age))
    return JudgedAnswer(answer, document), tuple(found)


def expiring(certificate: Validity | None, url: str, now: datetime) -> Iterator[Finding]:
    """Report a certificate that expires soon."""
    if certificate is None:
        return
    life = certificate.not_after - certificate.not_before
    if certificate.not_after - now < min(EXPIRY_WARNING, life / 3):
        end = certificate.not_after.date().isoformat()
        yield Finding.of(Reason.CertificateExpiring, f"The certificate of {host_of(url)} ends on {end}", subject=url)


def _status(answer: Fetched) -> Finding:
    status, url = answer.status, answer.url
    code, hint = code_of(answer.body), advice_for(answer.body)
    said = f"{url} answers {status}" + (f" ({code})" if code else "")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        to = f" and points to {shown(without_query(answer.location))}" if answer.location else ""
        endpoint = endpoint_of(answer.body)
        at = f", for S3 serves the bucket at {endpoint}" if endpoint else ""
        return Finding.of(Reason.Redirected, said + to + at, subject=url, hint=hint)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Finding.of(Reason.AccessBlocked, said, subject=url, hint=advice_for_refusal(answer.body))
    if status == HTTPStatus.NOT_FOUND:
        return Finding.of(Reason.DocumentNotFound, said, subject=url, hint=hint)
    return Finding.of(Reason.UnexpectedStatus, said, subject=url, hint=hint)


def _invalid(answer: Fetched, detail: str) -> Finding:
    return Finding.of(Reason.DocumentInvalid, f"{answer.url} {detail}", subject=answer.url)


def _not_compressed(answer: Fetched) -> Iterator[Finding]:
    """Report a document that is not compressed and says that it is: Go decompresses it, and fails."""
    if answer.content_encoding.strip().lower() == "gzip":
        yield _invalid(answer, "is served as gzip and is not compressed, so that Go programs cannot read it")


def _headers(answer: Fetched, types: frozenset[str], max_age: timedelta | None) -> Iterator[Finding]:
    url, kind = answer.url, answer.content_type.partition(";")[0].strip().lower()
    if kind not in types:
        said = f"as {shown(answer.content_type)}" if answer.content_type else "without a Content-Type"
        yield Finding.of(Reason.HeadersWrong, f"{url} is served {said}", subject=url)
    if answer.content_encoding.strip().lower() not in ("", "identity"):
        message = (
            f"{url} is served with Content-Encoding {shown(answer.content_encoding)} to a reader that accepts none"
        )
        yield Finding.of(Reason.HeadersWrong, message, subject=url, hint="Store and serve it without one.")
    yield from _caching(answer, max_age)


def _caching(answer: Fetched, max_age: timedelta | None) -> Iterator[Finding]:
    url = answer.url
    served = f"Cache-Control {shown(answer.cache_control)}" if answer.cache_control else "no Cache-Control"
    if max_age is None:
        if cachecontrol.longest_age(answer.cache_control) is None:
            yield Finding.of(
                Reason.CacheControlWrong, f"{url} is served with {served}, which states no age", subject=url
            )
    elif not cachecontrol.is_as_published(answer.cache_control, max_age):
        message = f'{url} is served with {served}, not "public, max-age={int(max_age.total_seconds())}"'
        yield Finding.of(Reason.CacheControlWrong, message, subject=url)
    # The messages name no Age, which differs each time.
    if cachecontrol.is_beyond(answer.cache_control, answer.age):
        message = f"A cache serves {url} beyond its max-age, by its header Age"
        hint = "Let the cache keep to Cache-Control: until then relying parties see a change of the keys later than planned."
        yield Finding.of(Reason.CacheControlWrong, message, subject=url, hint=hint)
    if "*" in (name.strip() for name in answer.vary.split(",")):
        message = f"{url} is served with Vary: *, so that no cache may answer with it (RFC 9110, 12.5.5)"
        hint = "Serve it without Vary: else each relying party asks the host itself, and throttling hits all of them."
        yield Finding.of(Reason.CacheControlWrong, message, subject=url, hint=hint)
