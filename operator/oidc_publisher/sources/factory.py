"""Open the sources that spec.keySources names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from oidc_publisher.api import (
    APIServerSourceSpec,
    ConfigMapSourceSpec,
    FilesSourceSpec,
    KeySourceSpec,
    SecretSourceSpec,
)
from oidc_publisher.cluster import ClusterAPI, ObjectReference
from oidc_publisher.cluster.remote.clusters import reference_of
from oidc_publisher.sources.apiserver import APIServerSource
from oidc_publisher.sources.entries import EntryPattern
from oidc_publisher.sources.files import FilesSource
from oidc_publisher.sources.objects import ObjectSource, WatchRights
from oidc_publisher.sources.port import Source
from oidc_publisher.sources.remote import RemoteSource


def open_sources(
    key_sources: Iterable[KeySourceSpec],
    client: ClusterAPI,
    *,
    remote: ClusterAPI | None = None,
    key_files_root: Path | None = None,
    rights: WatchRights | None = None,
) -> tuple[Source, ...]:
    """Open one source for each entry, in the spec's order; files are read below `key_files_root` only.

    ConfigMaps and Secrets are objects of the operator's own cluster, which `client` asks. API servers are those of the
    cluster `remote` where the issuer has one. `rights` are those on the objects, which the sources of several issuers share.
    """
    opener = _Opener(client, remote or client, key_files_root, rights or WatchRights())
    return tuple(opener.open(entry) for entry in key_sources)


def references_of(key_sources: Iterable[KeySourceSpec]) -> tuple[ObjectReference, ...]:
    """Return the objects of the operator's own cluster that the sources read, the kubeconfig of a remote cluster among them."""
    return tuple(dict.fromkeys(reference for entry in key_sources if (reference := _reference_of(entry)) is not None))


def _reference_of(entry: KeySourceSpec) -> ObjectReference | None:
    match entry.selected:
        case APIServerSourceSpec(kubeconfig_secret=named) if named is not None:
            return reference_of(named)
        case ConfigMapSourceSpec(namespace=namespace, name=name):
            return ObjectReference("ConfigMap", namespace, name)
        case SecretSourceSpec(namespace=namespace, name=name):
            return ObjectReference("Secret", namespace, name)
    return None


@dataclass(frozen=True, slots=True)
class _Opener:
    """What the sources of one issuer are opened with: `client` asks the own cluster, `asked` the one whose keys are read."""

    client: ClusterAPI
    asked: ClusterAPI
    root: Path | None
    rights: WatchRights

    def open(self, entry: KeySourceSpec) -> Source:
        name = entry.name
        match entry.selected:
            case APIServerSourceSpec() as servers:
                source = APIServerSource(self.asked, name, servers.addresses)
                named = servers.kubeconfig_secret
                return RemoteSource(source, self.client, reference_of(named), self.rights) if named else source
            case ConfigMapSourceSpec() as config_map:
                reference = ObjectReference("ConfigMap", config_map.namespace, config_map.name)
                return ObjectSource(self.client, name, reference, EntryPattern(config_map.entry_pattern), self.rights)
            case SecretSourceSpec() as secret:
                reference = ObjectReference("Secret", secret.namespace, secret.name)
                return ObjectSource(self.client, name, reference, EntryPattern(secret.entry_pattern), self.rights)
            case FilesSourceSpec() as files:
                return FilesSource(name, files.directory, EntryPattern(files.entry_pattern), self.root)
            case other:
                assert_never(other)
