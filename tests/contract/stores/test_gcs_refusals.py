"""Errors that a real server and a real network show: what is wrong, and the reason and words that an admin reads.

What Cloud Storage itself refuses is played by tests/unit/stores/gcs/test_errors.py: this server knows no IAM.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document
from oidc_publisher.stores.gcs.store import GCSPlace, GCSStore
from tests.contract.stores.conftest import GCSBucket
from tests.support.edge import Edge
from tests.support.pki import PKI
from tests.support.processes import free_port

pytestmark = pytest.mark.live

JWKS = "openid/v1/jwks"


@pytest.fixture
def gcs_edge(gcs_bucket: GCSBucket, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edge]:
    """An edge through which the server is reached, for one test."""
    with Edge(gcs_bucket.server.endpoint_url, pki) as running:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        yield running


async def failure(bucket: GCSBucket) -> StoreError:
    store = bucket.store()
    with pytest.raises(StoreError) as caught:
        await store.read(JWKS)
    with pytest.raises(StoreError) as again:
        await store.read(JWKS)
    assert str(again.value) == str(caught.value), "a message that changes would be a PATCH each time"
    return caught.value


async def test_a_missing_bucket(gcs_bucket: GCSBucket, discovery: Document) -> None:
    """A first write that is answered 404: nothing but the bucket can be missing."""
    store = GCSStore(GCSPlace("no-such-bucket"), gcs_bucket.clients)
    with pytest.raises(StoreError) as caught:
        await store.write(JWKS, discovery, expected=None)
    assert (caught.value.reason, str(caught.value)) == (
        Reason.BucketNotFound,
        "The bucket no-such-bucket does not exist",
    )


async def test_nobody_listens(gcs_bucket: GCSBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused is told from unknown names."""
    url = f"https://localhost:{free_port()}"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    error = await failure(gcs_bucket)
    assert (error.reason, error.retryable) == (Reason.StoreUnavailable, True)
    assert str(error).endswith(f"{url} refuses connections")


async def test_an_unknown_name(gcs_bucket: GCSBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """No DNS."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "https://storage.nowhere.invalid")
    error = await failure(gcs_bucket)
    assert (error.reason, error.retryable) == (Reason.StoreUnavailable, True)
    assert str(error).endswith("the name storage.nowhere.invalid cannot be resolved")


async def test_an_authority_that_nobody_trusts(gcs_bucket: GCSBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without REQUESTS_CA_BUNDLE the roots of certifi decide; a company's proxy is among nobody's roots."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    error = await failure(gcs_bucket)
    assert (error.reason, error.retryable) == (Reason.StoreUnavailable, True)
    assert f"the certificate of {gcs_bucket.server.endpoint_url} is not trusted: " in str(error)
    assert "REQUESTS_CA_BUNDLE" in error.hint


async def test_a_certificate_for_another_name(gcs_bucket: GCSBucket, gcs_edge: Edge, pki: PKI) -> None:
    """Trusted, but not this server's."""
    gcs_edge.serve_with(pki.serving("elsewhere.example.com"))
    error = await failure(gcs_bucket)
    assert "is not trusted: Hostname mismatch" in str(error)
    assert "REQUESTS_CA_BUNDLE" not in error.hint


async def test_plain_http_where_tls_was_expected(gcs_bucket: GCSBucket, gcs_edge: Edge) -> None:
    """OpenSSL's word for it is kept."""
    gcs_edge.serve_with(None)
    error = await failure(gcs_bucket)
    assert error.reason is Reason.StoreUnavailable
    assert f"TLS with {gcs_edge.url} fails" in str(error)


async def test_a_missing_file_of_authorities(
    gcs_bucket: GCSBucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that is not mounted is not a certificate that is not trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    error = await failure(gcs_bucket)
    assert error.reason is Reason.StoreUnavailable
    assert "missing.pem" in str(error)
    assert "REQUESTS_CA_BUNDLE" in error.hint
