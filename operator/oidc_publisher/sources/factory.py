"""Open the sources that spec.keySources names."""

from __future__ import annotations

from collections.abc import Iterable
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
from oidc_publisher.sources.apiserver import APIServerSource
from oidc_publisher.sources.entries import EntryPattern
from oidc_publisher.sources.files import FilesSource
from oidc_publisher.sources.objects import ObjectSource
from oidc_publisher.sources.port import Source


def open_sources(
    key_sources: Iterable[KeySourceSpec], client: ClusterAPI, *, key_files_root: Path | None = None
) -> tuple[Source, ...]:
    """Open one source for each entry, in the spec's order; files are read below `key_files_root` only."""
    return tuple(_open(entry, client, key_files_root) for entry in key_sources)


def _open(entry: KeySourceSpec, client: ClusterAPI, root: Path | None) -> Source:
    name = entry.name
    match entry.selected:
        case APIServerSourceSpec() as servers:
            return APIServerSource(client, name, servers.addresses)
        case ConfigMapSourceSpec() as config_map:
            reference = ObjectReference("ConfigMap", config_map.namespace, config_map.name)
            return ObjectSource(client, name, reference, EntryPattern(config_map.entry_pattern))
        case SecretSourceSpec() as secret:
            reference = ObjectReference("Secret", secret.namespace, secret.name)
            return ObjectSource(client, name, reference, EntryPattern(secret.entry_pattern))
        case FilesSourceSpec() as files:
            return FilesSource(name, files.directory, EntryPattern(files.entry_pattern), root)
        case other:
            assert_never(other)
