"""The caveats of a preview, one sentence each: what it did not read, what stays behind, who cannot read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from oidc_publisher.api import OIDCIssuerSpec
from oidc_publisher.cli.plan.basis import Basis
from oidc_publisher.cli.plan.decision import Decided
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.ownership import former_place

#: Reasons that may hold for the credentials of the caller only, and not for those of the operator.
_DENIALS = frozenset({Reason.SourceForbidden, Reason.TokenRequestForbidden, Reason.AccessDenied, Reason.KMSDenied})
#: The beginnings of the names of Amazon's and Google's servers that take a bucket in front (s3.REGION, s3-REGION).
_BUCKET_HOSTS = ("s3.", "s3-", "storage.googleapis.com")


def caveats_of(basis: Basis, decided: Decided, *, mints: bool, crd: bool) -> Iterator[str]:
    """Yield the caveats of a pass; `mints` and `crd` as in `preview`."""
    yield from _left_behind(basis, decided)
    yield from _uncovered(basis.issuer.spec)
    if not crd:
        yield "This cluster has no OIDCIssuers: install the CRD before you apply this (kubectl apply --server-side -f crds/)."
    yield from _unread(decided, mints=mints)


def _uncovered(spec: OIDCIssuerSpec) -> Iterator[str]:
    """Warn of a bucket with dots in front of its server's name: a wildcard certificate covers one label (RFC 9525)."""
    bucket, host = spec.store.selected.bucket, urlsplit(spec.issuer_url).hostname or ""
    server = host.removeprefix(f"{bucket}.")
    endpoint = spec.store.s3.endpoint_url if spec.store.s3 else None
    known = server.startswith(_BUCKET_HOSTS) or (endpoint is not None and server == urlsplit(endpoint).hostname)
    if "." in bucket and server != host and known:
        yield (
            f"Bucket {bucket} has dots in its name, and a certificate for *.{server} does not cover {host}: nobody could "
            "fetch the documents there. Take a bucket without dots, or an issuer URL with the bucket in its path."
        )


def _left_behind(basis: Basis, decided: Decided) -> Iterator[str]:
    known, place = basis.issuer.status.publication, decided.decision.stored.place
    if known is not None and known.location and not place.is_at(known.location, known.endpoint_url):
        former = former_place(known.location, known.endpoint_url, place.location)
        yield f"The documents at {former}, the place until now, stay there as they are."


def _unread(decided: Decided, *, mints: bool) -> Iterator[str]:
    seen = decided.decision.seen
    servers = tuple(f"API server {endpoint}" for endpoint in seen.mints.endpoints or ())
    # A store that cannot be read, or is another owner's, is the result already.
    told = (*(() if mints else servers), *(("the store",) if decided.decision.intent.problem else ()))
    silent = tuple(what for what in seen.missing if what not in told)
    if servers and not mints:
        yield (
            "No token was minted (there is no --probe-service-account): which keys sign was not looked at, and without "
            "that no key can be found unused or leave."
        )
    if silent:
        yield f"Not everything could be read, and what was not cannot take a key away: {', '.join(silent)}."
    if any(finding.reason in _DENIALS for finding in decided.findings):
        yield "Something was denied to your credentials; the operator has its own."
