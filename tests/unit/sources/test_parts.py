"""The factory of key sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from oidc_publisher.api import KeySourceSpec
from oidc_publisher.cluster import ObjectReference
from oidc_publisher.sources import APIServerSource, open_sources
from oidc_publisher.sources.factory import references_of
from oidc_publisher.sources.files import FilesSource
from oidc_publisher.sources.objects import ObjectSource
from tests.support.apistub import client_of

if TYPE_CHECKING:
    from tests.support.pki import PKI


def spec(content: dict[str, Any]) -> KeySourceSpec:
    """A key source as the API server hands it over."""
    return KeySourceSpec.model_validate(content)


class TestFactory:
    """From the spec to sources."""

    async def test_api_servers(self, pki: PKI) -> None:
        """One source for each entry, in order."""
        async with client_of(pki, "127.0.0.1:1") as client:
            sources = open_sources((spec({"name": "a", "apiServer": {}}), spec({"name": "b", "apiServer": {}})), client)
        assert [type(source) for source in sources] == [APIServerSource, APIServerSource]

    async def test_every_kind_in_the_order_of_the_spec(self, pki: PKI, tmp_path: Path) -> None:
        """And only objects of the cluster are watched."""
        thing = {"namespace": "n", "name": "c", "entryPattern": ".*"}
        specs = [
            spec({"name": "files", "files": {"directory": str(tmp_path)}}),
            spec({"name": "secret", "secret": thing}),
            spec({"name": "api", "apiServer": {}}),
            spec({"name": "maps", "configMap": thing}),
        ]
        async with client_of(pki, "127.0.0.1:1") as client:
            sources = open_sources(specs, client, key_files_root=tmp_path)
        assert [type(source) for source in sources] == [FilesSource, ObjectSource, APIServerSource, ObjectSource]
        assert references_of(specs) == (ObjectReference("Secret", "n", "c"), ObjectReference("ConfigMap", "n", "c"))
