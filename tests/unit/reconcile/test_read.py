"""What is read at once is reported the same way, whichever answer comes first."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.documents import DISCOVERY_PATH
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.read import Readings, api_server_offsets, read_stored, sources_and_tokens
from oidc_publisher.rotation import SourceReading
from oidc_publisher.sources import APIServerSource, SourceResult
from tests.support.apistub import APIStub, client_of, says, serving
from tests.support.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.pki import PKI


class AwayStore:
    """Fails for every path; one of them takes longer."""

    def __init__(self, slow: str) -> None:
        self._slow = slow

    async def read(self, path: str) -> None:
        """Fail, sooner or later."""
        await asyncio.sleep(0.01 if path == self._slow else 0)
        raise StoreError(Reason.StoreUnavailable, f"{path} cannot be read")


@pytest.mark.parametrize("slow", [DISCOVERY_PATH, "openid/v1/jwks"])
async def test_of_two_errors_always_the_same_one_is_reported(slow: str) -> None:
    """A message that changed from pass to pass would be a PATCH each time."""
    spec = SimpleNamespace(jwks_path="openid/v1/jwks")
    stored = await read_stored(cast("Any", SimpleNamespace(store=AwayStore(slow), spec=spec)))
    assert stored.error is not None
    assert DISCOVERY_PATH in stored.error.message


async def test_a_server_that_does_not_answer_is_named_once(pki: PKI) -> None:
    """The source says it with the place of its address; that it does not mint either says nothing new."""
    down = f"127.0.0.1:{free_port()}"
    spec = SimpleNamespace(probe=SimpleNamespace(audiences=("a",)))
    async with client_of(pki, "127.0.0.1:1") as client:
        source = APIServerSource(client, "api", (down,))
        ports = SimpleNamespace(cluster=client, sources=(source,), probe_account=("n", "s"), spec=spec)
        results, _, of_tokens = await sources_and_tokens(cast("Any", ports))
    assert [finding.subject for result in results for finding in result.findings] == [down]
    assert of_tokens == ()


async def test_the_servers_that_one_issuer_names_have_no_vote_on_the_clock_of_another(pki: PKI) -> None:
    """Three servers of one issuer's `addresses` are a day ahead, and share the client with an issuer whose one is right."""

    def ahead(stub: APIStub, days: int) -> None:
        stated = format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)
        stub.on("GET", "/openid/v1/jwks", says({"keys": []}, headers={"Date": stated}))

    async with AsyncExitStack() as stack:
        own, *others = [await stack.enter_async_context(serving(pki)) for _ in range(4)]
        client = await stack.enter_async_context(client_of(pki, own.address))
        ahead(own, 0)
        for other in others:
            ahead(other, 1)
        began = time.monotonic()
        right, wrong = await asyncio.gather(
            APIServerSource(client, "api", [own.address]).read(),
            APIServerSource(client, "api", [other.address for other in others]).read(),
        )
        assert len(client.clock_offsets(began)) == 4
        assert [offset.days for offset in api_server_offsets(client, (wrong,), began)].count(0) >= 3
        (offset,) = api_server_offsets(client, (right,), began)
    assert abs(offset) < timedelta(seconds=5)


def test_two_sources_of_one_object_have_read_one_version_or_none_that_counts() -> None:
    """The object may change between their readings, and the source that read it sooner needs the next pass."""
    one, other = ObjectReference("ConfigMap", "keys", "one"), ObjectReference("Secret", "keys", "other")

    def watched(*versions: str | None) -> Mapping[ObjectReference, str | None]:
        results = [SourceResult(SourceReading("s", complete=True), watched={one: version}) for version in versions]
        results += [SourceResult(SourceReading("o", complete=True), watched={other: "1"})]
        return Readings.watched.fget(SimpleNamespace(sources=results))  # type: ignore[attr-defined,no-any-return]

    assert watched("7", "7", "7") == {one: "7", other: "1"}
    for versions in (("7", "8", "7"), ("7", "7", "8"), (None, "7", "7"), ("7", None, "7")):
        assert watched(*versions) == {one: None, other: "1"}
