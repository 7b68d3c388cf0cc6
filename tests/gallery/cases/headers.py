"""Faults of the headers alone: the documents are right."""

from __future__ import annotations

from oidc_publisher.findings import Reason
from tests.gallery.answers import Change, header
from tests.gallery.case import Case, Fault, Verdict

_ANY_AGE: frozenset[Reason] = frozenset()


def _both(change: Change) -> Fault:
    return lambda place: place.change(change, jwks=(change,))


def _warned(
    name: str, broken: str, fault: Fault, reason: Reason, *, without_plan: frozenset[Reason] | None = None
) -> Case:
    return Case(name, broken, fault, reason, verdict=Verdict.WARNED, without_plan=without_plan)


def _discovery(change: Change) -> Fault:
    return lambda place: place.change(change)


def _jwks(change: Change) -> Fault:
    return lambda place: place.change(jwks=(change,))


CASES = (
    _warned(
        "discovery-octet-stream",
        "the discovery document is served as application/octet-stream",
        _discovery(header("Content-Type", "application/octet-stream")),
        Reason.HeadersWrong,
    ),
    _warned(
        "jwks-text-plain",
        "the key set is served as text/plain",
        _jwks(header("Content-Type", "text/plain; charset=utf-8")),
        Reason.HeadersWrong,
    ),
    _warned(
        "no-content-type",
        "the documents are served without a Content-Type",
        _both(header("Content-Type", None)),
        Reason.HeadersWrong,
    ),
    _warned(
        "aws-chunked",
        "the documents are stored with Content-Encoding aws-chunked",
        _both(header("Content-Encoding", "aws-chunked")),
        Reason.HeadersWrong,
    ),
    _warned(
        "no-cache-control",
        "the documents are served without Cache-Control",
        _both(header("Cache-Control", None)),
        Reason.CacheControlWrong,
    ),
    _warned(
        "no-store",
        "the documents are served with no-store",
        _both(header("Cache-Control", "no-store")),
        Reason.CacheControlWrong,
    ),
    _warned(
        "max-age-a-year",
        "a max-age of a year is stated for the documents",
        _both(header("Cache-Control", "public, max-age=31536000")),
        Reason.CacheControlWrong,
        without_plan=_ANY_AGE,
    ),
    _warned(
        "age-above-max-age",
        "a cache serves the documents older than their max-age",
        _both(header("Age", "86400")),
        Reason.CacheControlWrong,
    ),
    _warned(
        "vary-star",
        "Vary: * keeps every cache from serving the documents",
        _both(header("Vary", "*")),
        Reason.CacheControlWrong,
    ),
)
