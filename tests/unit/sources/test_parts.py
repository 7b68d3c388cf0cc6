"""The factory, and the source in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from oidc_publisher.api import KeySourceSpec
from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys.pem import read_entry
from oidc_publisher.rotation import Listing
from oidc_publisher.sources import APIServerSource, MemorySource, Source, open_sources
from oidc_publisher.sources.files import FilesSource
from oidc_publisher.sources.objects import ObjectSource
from tests.support.apistub import client_of
from tests.support.signingkeys import signing_key

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
        assert [source.watches for source in sources] == [
            (),
            (ObjectReference("Secret", "n", "c"),),
            (),
            (ObjectReference("ConfigMap", "n", "c"),),
        ]


async def test_the_memory_source_says_what_it_was_told() -> None:
    """Keys, then none, then a failure."""
    (key,) = read_entry(signing_key("P-256", "a").public_pem).keys
    memory = MemorySource("m", [key])
    source: Source = memory
    told = await source.read()
    assert (told.reading.complete, told.reading.listings, told.endpoints) == (True, (Listing(key),), ())
    memory.state(Listing(key, "service-account-7.pub", 7))
    assert (await source.read()).reading.listings == (Listing(key, "service-account-7.pub", 7),)
    memory.state()
    assert not (await source.read()).reading.complete
    finding = Finding.of(Reason.SourceNotFound, "gone", subject="m")
    memory.fail(finding, missing=["m"])
    told = await source.read()
    assert (told.reading.complete, told.reading.missing, told.findings) == (False, ("m",), (finding,))
