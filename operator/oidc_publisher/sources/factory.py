"""From spec.keySources to sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from oidc_publisher.api import APIServerSourceSpec, KeySourceSpec
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.errors import InvalidObjectError
from oidc_publisher.findings import Reason
from oidc_publisher.sources.apiserver import APIServerSource
from oidc_publisher.sources.identity import source_identity
from oidc_publisher.sources.port import Source


def open_sources(key_sources: Iterable[KeySourceSpec], client: ClusterClient) -> tuple[Source, ...]:
    """One source for each entry, in the spec's order. Nothing is read yet.

    Raises:
        InvalidObjectError: SpecUnsupported, for a kind of source that this version cannot read.
    """
    return tuple(_open(entry, client) for entry in key_sources)


def _open(entry: KeySourceSpec, client: ClusterClient) -> Source:
    opener = _OPENERS.get(type(entry.selected))
    if opener is None:
        raise InvalidObjectError(
            Reason.SpecUnsupported, f"Key source {entry.name} is of a kind that this version cannot read"
        )
    return opener(entry, client)


def _api_server(entry: KeySourceSpec, client: ClusterClient) -> Source:
    addresses = entry.api_server.addresses if entry.api_server else None
    return APIServerSource(client, entry.name, source_identity(entry), addresses)


_OPENERS: Mapping[type, Callable[[KeySourceSpec, ClusterClient], Source]] = {
    APIServerSourceSpec: _api_server,
}
