"""What the rotation may conclude from a look (R2). Pure."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import cachecontrol
from oidc_publisher.probe.answers import parsed_discovery, parsed_jwks
from oidc_publisher.probe.look import Look
from oidc_publisher.probe.wire.port import Fetched
from oidc_publisher.rotation import WireReading


def wire_reading(look: Look, *, issuer_url: str, jwks_uri: str) -> WireReading | None:
    """Every key set that was parsed, or that nothing is there; None where a look says neither.

    A read counts as showing its keys (R2) only with a discovery document that is this issuer's and leads to them, for
    without one no verifier gets that far; as absence of a key every parsed set counts.
    """
    answers = [answer for read in look.reads for answer in (read.discovery, read.jwks) if answer is not None]
    if answers and all(isinstance(answer, Fetched) and answer.status == HTTPStatus.NOT_FOUND for answer in answers):
        return WireReading(absent=True)
    read_sets = key_sets(look)
    if not read_sets:
        return None
    led = all(_leads(read.discovery, issuer_url, jwks_uri) for read in look.reads)
    whole = len(read_sets) == len(look.reads) and led
    return WireReading(reads=read_sets, max_age=_longest_age(look), stated_at=_stated_at(look), whole=whole)


def key_sets(look: Look) -> tuple[frozenset[PublicKey], ...]:
    """Every key set that was parsed, in the order of the reads."""
    return tuple(keys for read in look.reads if (keys := _keys(read.jwks)) is not None)


def date_offsets(look: Look) -> tuple[timedelta, ...]:
    """The host's clock minus ours, from every answer that stated one (R13)."""
    answers = (answer for read in look.reads for answer in (read.discovery, read.jwks))
    return tuple(a.date_offset for a in answers if isinstance(a, Fetched) and a.date_offset is not None)


def _keys(answer: object) -> frozenset[PublicKey] | None:
    if not isinstance(answer, Fetched) or answer.status != HTTPStatus.OK or answer.oversized:
        return None
    try:
        return frozenset(parsed_jwks(answer.body).keys)
    except DocumentInvalidError:
        return None


def _leads(answer: object, issuer_url: str, jwks_uri: str) -> bool:
    if not isinstance(answer, Fetched) or answer.status != HTTPStatus.OK or answer.oversized:
        return False
    try:
        document = parsed_discovery(answer.body)
    except DocumentInvalidError:
        return False
    # Verifiers compare the issuer byte for byte, and fetch keys only where the document sends them.
    return (document.issuer, document.jwks_uri) == (issuer_url, jwks_uri)


def _stated_at(look: Look) -> str:
    """The URL of the key set."""
    return next((read.jwks.url for read in look.reads if isinstance(read.jwks, Fetched)), "")


def _longest_age(look: Look) -> timedelta | None:
    """The longest cache age that the wire stated for the key set, None when a read stated none."""
    ages = [
        cachecontrol.longest_age(read.jwks.cache_control)
        for read in look.reads
        if isinstance(read.jwks, Fetched) and read.jwks.status == HTTPStatus.OK
    ]
    stated = [age for age in ages if age is not None]
    return max(stated) if stated and len(stated) == len(ages) else None
