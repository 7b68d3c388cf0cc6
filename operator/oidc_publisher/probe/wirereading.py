"""Reduce one probe to the facts that the rotation decides by (R2, R13). Pure."""

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
    """Return every parsed key set, or `absent` where every answer was 404; None where the probe shows neither.

    A read shows its keys (R2) only with a discovery document that names this issuer and this key set, because without
    one no verifier fetches the key set. Every parsed set shows that a key is absent.
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
    """Return every parsed key set in the order of the reads."""
    return tuple(keys for read in look.reads if (keys := _keys(read.jwks)) is not None)


def date_offsets(look: Look) -> tuple[timedelta, ...]:
    """Return the host's clock minus the operator's, from every answer that stated a Date (R13)."""
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
    # Verifiers compare the issuer byte for byte, and fetch keys only from the jwks_uri of the document.
    return (document.issuer, document.jwks_uri) == (issuer_url, jwks_uri)


def _stated_at(look: Look) -> str:
    """Return the URL of the key set, empty where it was not fetched."""
    return next((read.jwks.url for read in look.reads if isinstance(read.jwks, Fetched)), "")


def _longest_age(look: Look) -> timedelta | None:
    """Return the longest cache age that the answers stated for the key set, None when a read stated none."""
    ages = [
        cachecontrol.longest_age(read.jwks.cache_control)
        for read in look.reads
        if isinstance(read.jwks, Fetched) and read.jwks.status == HTTPStatus.OK
    ]
    stated = [age for age in ages if age is not None]
    return max(stated) if stated and len(stated) == len(ages) else None
