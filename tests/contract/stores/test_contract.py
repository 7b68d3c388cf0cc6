"""What every store must do: one suite, run against each implementation."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from oidc_publisher.errors import PreconditionError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document, Store, StoredDocument
from oidc_publisher.stores.port import Rehearsal, RehearsingStore
from tests.contract.stores.conftest import Place

DISCOVERY = ".well-known/openid-configuration"
JWKS = "openid/v1/jwks"


def changed(document: Document, body: bytes) -> Document:
    return dataclasses.replace(document, body=body)


async def present(store: Store, path: str = DISCOVERY) -> StoredDocument:
    found = await store.read(path)
    assert found is not None
    return found


async def test_an_empty_place_has_no_document(store: Store) -> None:
    """Absence is None, not an error."""
    assert await store.read(DISCOVERY) is None


async def test_a_created_document_is_read_back_byte_for_byte(place: Place, discovery: Document) -> None:
    """Bytes, both headers and metadata come back as they went, in another process too."""
    written = await place.open().write(DISCOVERY, discovery, expected=None)
    found = await present(place.open())
    assert found.document == discovery
    assert found.version == written.version
    assert found.content_encoding == ""


@pytest.mark.parametrize("body", [b"", b"\x00\xff\r\n\xef\xbb\xbf", b"x" * 70_000], ids=["empty", "binary", "long"])
async def test_any_bytes_are_kept(store: Store, discovery: Document, body: bytes) -> None:
    """A store looks at no byte."""
    await store.write(JWKS, changed(discovery, body), expected=None)
    assert (await present(store, JWKS)).document.body == body


async def test_a_document_without_metadata_is_kept(store: Store) -> None:
    """No owner mark is kept as no owner mark."""
    plain = Document(b"{}", "application/json", "public, max-age=60")
    await store.write(JWKS, plain, expected=None)
    assert (await present(store, JWKS)).document == plain


async def test_the_time_of_the_write_is_known(store: Store, discovery: Document) -> None:
    """`last_modified` is aware UTC, from the write as from the read."""
    written = await store.write(DISCOVERY, discovery, expected=None)
    for stored in (written, await present(store)):
        assert stored.last_modified is not None
        assert stored.last_modified.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - stored.last_modified) < timedelta(seconds=5)


async def test_a_document_is_replaced_by_its_version(store: Store, discovery: Document) -> None:
    """The version of the last write is what the next one names."""
    first = await store.write(DISCOVERY, discovery, expected=None)
    second = await store.write(DISCOVERY, changed(discovery, b"two"), expected=first.version)
    third = await store.write(DISCOVERY, changed(discovery, b"three"), expected=second.version)
    assert len({first.version, second.version, third.version}) == 3
    assert (await present(store)).document.body == b"three"


async def test_a_version_that_was_read_is_good_for_a_write(place: Place, discovery: Document) -> None:
    """Reading and writing speak of the same versions."""
    await place.open().write(DISCOVERY, discovery, expected=None)
    store = place.open()
    await store.write(DISCOVERY, changed(discovery, b"two"), expected=(await present(store)).version)
    assert (await present(store)).document.body == b"two"


async def test_changed_headers_alone_are_written_and_seen(place: Place, discovery: Document) -> None:
    """The same bytes with another mark are another document, for a store that has read the first one too."""
    watcher = place.open()
    first = await place.open().write(DISCOVERY, discovery, expected=None)
    assert (await present(watcher)).document == discovery
    other = dataclasses.replace(discovery, cache_control="public, max-age=60", metadata={"oidc-publisher-serial": "8"})
    await place.open().write(DISCOVERY, other, expected=first.version)
    assert (await present(watcher)).document == other


async def test_nothing_is_created_over_a_document(store: Store, discovery: Document) -> None:
    """Who expects nothing and finds something has lost."""
    await store.write(DISCOVERY, discovery, expected=None)
    with pytest.raises(PreconditionError) as lost:
        await store.write(DISCOVERY, changed(discovery, b"other"), expected=None)
    assert (lost.value.reason, lost.value.retryable) == (Reason.StoreUnavailable, True)
    assert DISCOVERY in str(lost.value)
    assert (await present(store)).document == discovery


async def test_a_stale_version_loses(store: Store, discovery: Document) -> None:
    """Who names the version before last has lost."""
    first = await store.write(DISCOVERY, discovery, expected=None)
    await store.write(DISCOVERY, changed(discovery, b"two"), expected=first.version)
    with pytest.raises(PreconditionError):
        await store.write(DISCOVERY, changed(discovery, b"three"), expected=first.version)
    assert (await present(store)).document.body == b"two"


async def test_a_rehearsal_shows_conditional_writes_and_changes_nothing(
    store: RehearsingStore, discovery: Document
) -> None:
    """Where nothing is stored, and where something is, which alone shows all of it."""
    await store.rehearse(DISCOVERY)
    assert await store.read(DISCOVERY) is None
    written = await store.write(DISCOVERY, discovery, expected=None)
    assert await store.rehearse(DISCOVERY) is Rehearsal.REFUSED_BY_CONDITION
    assert ((await present(store)).document, (await present(store)).version) == (discovery, written.version)


async def test_a_store_says_whose_the_credentials_are(store: RehearsingStore) -> None:
    """For people; it names no secret."""
    assert await store.identity()


async def test_a_document_that_is_gone_cannot_be_replaced(store: Store, discovery: Document) -> None:
    """Somebody deleted it: that is a lost race too, and nothing is created."""
    first = await store.write(DISCOVERY, discovery, expected=None)
    await store.delete(DISCOVERY, expected=first.version)
    with pytest.raises(PreconditionError):
        await store.write(DISCOVERY, changed(discovery, b"two"), expected=first.version)
    assert await store.read(DISCOVERY) is None


async def test_a_write_that_is_already_there_succeeds(place: Place, discovery: Document) -> None:
    """A lost answer looks like a lost race: what is there already counts as written."""
    written = await place.open().write(DISCOVERY, discovery, expected=None)
    again = await place.open().write(DISCOVERY, discovery, expected=None)
    assert (again.document, again.version) == (discovery, written.version)


async def test_of_ten_creators_exactly_one_wins(place: Place, discovery: Document) -> None:
    """All others know that they lost."""
    bodies = [f"writer {number}".encode() for number in range(10)]
    writes = (place.open().write(JWKS, changed(discovery, body), expected=None) for body in bodies)
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    await assert_one_winner(place, bodies, outcomes)


async def test_of_ten_replacers_exactly_one_wins(place: Place, discovery: Document) -> None:
    """All others know that they lost."""
    first = await place.open().write(JWKS, discovery, expected=None)
    bodies = [f"writer {number}".encode() for number in range(10)]
    writes = (place.open().write(JWKS, changed(discovery, body), expected=first.version) for body in bodies)
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    await assert_one_winner(place, bodies, outcomes)


async def assert_one_winner(place: Place, bodies: list[bytes], outcomes: list[StoredDocument | BaseException]) -> None:
    winners = [body for body, outcome in zip(bodies, outcomes, strict=True) if isinstance(outcome, StoredDocument)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, PreconditionError)]
    assert (len(winners), len(losers)) == (1, 9), outcomes
    assert (await present(place.open(), JWKS)).document.body == winners[0]


async def test_documents_are_apart(store: Store, discovery: Document) -> None:
    """Each path has its own document."""
    first = await store.write(DISCOVERY, discovery, expected=None)
    await store.write(JWKS, changed(discovery, b"keys"), expected=None)
    await store.delete(DISCOVERY, expected=first.version)
    assert await store.read(DISCOVERY) is None
    assert (await present(store, JWKS)).document.body == b"keys"


async def test_a_document_is_deleted_once(store: Store, discovery: Document) -> None:
    """What is already gone is no error, and the place can be used again."""
    first = await store.write(DISCOVERY, discovery, expected=None)
    await store.delete(DISCOVERY, expected=first.version)
    await store.delete(DISCOVERY, expected=first.version)
    assert await store.read(DISCOVERY) is None
    await store.write(DISCOVERY, discovery, expected=None)
    assert (await present(store)).document == discovery


async def test_somebody_elses_document_is_not_deleted(store: Store, discovery: Document) -> None:
    """A version that is not there any more deletes nothing."""
    first = await store.write(DISCOVERY, discovery, expected=None)
    await store.write(DISCOVERY, changed(discovery, b"two"), expected=first.version)
    with pytest.raises(PreconditionError):
        await store.delete(DISCOVERY, expected=first.version)
    assert (await present(store)).document.body == b"two"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../outside", "a/../b", "a//b", "a/", "a/./b", "a\\b", "a\nb"])
async def test_a_path_that_leaves_the_place_is_refused(store: Store, discovery: Document, path: str) -> None:
    """A store writes below its place and nowhere else."""
    with pytest.raises(ValueError, match="not a path"):
        await store.read(path)
    with pytest.raises(ValueError, match="not a path"):
        await store.write(path, discovery, expected=None)
    with pytest.raises(ValueError, match="not a path"):
        await store.delete(path, expected="1")


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"owner": "müller"}},
        {"metadata": {"Owner": "x"}},
        {"metadata": {"owner": " x"}},
        {"metadata": {"owner": "x" * 2048}},
        {"cache_control": "public\nx-evil: 1"},
        {"body": b"x" * (1024 * 1024 + 1)},
    ],
    ids=["not-ascii", "capital", "space", "much-metadata", "line-break", "much"],
)
async def test_what_some_store_could_not_keep_is_refused_by_all(
    store: Store, discovery: Document, change: dict[str, object]
) -> None:
    """A dry run in memory must not succeed where S3 would not."""
    with pytest.raises(ValueError, match=r"metadata|body"):
        await store.write(JWKS, dataclasses.replace(discovery, **change), expected=None)  # type: ignore[arg-type]


async def test_the_location_names_the_place(place: Place) -> None:
    """People find it there."""
    assert place.open().location == place.location


async def test_clock_offsets_are_told_once(store: Store, discovery: Document) -> None:
    """A store with a clock tells by how much it is ahead; what was told is not told again."""
    await store.write(DISCOVERY, discovery, expected=None)
    await store.read(DISCOVERY)
    assert all(abs(offset) < timedelta(seconds=3) for offset in store.clock_offsets)
    assert store.clock_offsets == ()


async def test_a_store_may_be_closed_twice(store: Store) -> None:
    """Closing lets go and nothing else."""
    await store.read(DISCOVERY)
    await store.aclose()
    await store.aclose()
