"""The S3 server behaves as the real one where the operator depends on it."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.support.pki import PKI
    from tests.support.s3server import S3Server

pytestmark = pytest.mark.live

KEY = "prod/.well-known/openid-configuration"


def anonymous_get(url: str, pki: PKI) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, context=pki.client_context(), timeout=5) as answer:  # noqa: S310 - always https://localhost
            status: int = answer.status
            return status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def refused(error: pytest.ExceptionInfo[ClientError]) -> int:
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_strangers_read_only_what_the_policy_allows(s3: S3Server, pki: PKI) -> None:
    """An anonymous GET is answered 403, then 200 once the policy allows it, then 403 again."""
    bucket = s3.create_bucket("anonymous")
    s3.put(bucket, KEY, b"{}", ContentType="application/json", CacheControl="public, max-age=300")
    url = f"{s3.public_url(bucket, 'prod')}/.well-known/openid-configuration"
    assert anonymous_get(url, pki)[0] == http.client.FORBIDDEN
    s3.allow_anonymous_read(bucket, "prod/")
    assert anonymous_get(url, pki) == (200, b"{}")
    s3.block_anonymous_read(bucket)
    assert anonymous_get(url, pki)[0] == http.client.FORBIDDEN


def test_conditional_writes_are_enforced(s3: S3Server) -> None:
    """If-None-Match and If-Match refuse a write that would overwrite what the writer has not seen."""
    bucket = s3.create_bucket("conditional")
    first = s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as error:
        s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"2", IfNoneMatch="*")
    assert refused(error) == http.client.PRECONDITION_FAILED
    s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"2", IfMatch=first["ETag"])
    with pytest.raises(ClientError) as error:
        s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"3", IfMatch=first["ETag"])
    assert refused(error) == http.client.PRECONDITION_FAILED
    with pytest.raises(ClientError) as error:
        s3.client.delete_object(Bucket=bucket, Key=KEY, IfMatch=first["ETag"])
    assert refused(error) == http.client.PRECONDITION_FAILED
    assert s3.get(bucket, KEY) == b"2"


def test_headers_and_metadata_are_kept_without_a_content_encoding(s3: S3Server) -> None:
    """What was written is served byte for byte, with the headers it was written with."""
    bucket = s3.create_bucket("headers")
    s3.put(
        bucket, KEY, b"{}", ContentType="application/json", CacheControl="public, max-age=60", Metadata={"serial": "7"}
    )
    found = s3.get_object(bucket, KEY)
    assert found is not None
    assert found["CacheControl"] == "public, max-age=60"
    assert found["ContentType"] == "application/json"
    assert found["Metadata"] == {"serial": "7"}
    assert not found.get("ContentEncoding")


def test_writes_are_counted_per_bucket(s3: S3Server) -> None:
    """A test can state that nothing was written."""
    bucket = s3.create_bucket("counted")
    s3.put(bucket, KEY, b"1")
    s3.forget_requests()
    s3.get(bucket, KEY)
    assert s3.writes(bucket) == 0
    s3.put(bucket, KEY, b"2")
    s3.delete(bucket, KEY)
    assert s3.writes(bucket) == 2
    assert s3.requests(bucket)["GetObject"] == 1


def test_a_restart_keeps_the_objects(s3: S3Server) -> None:
    """An outage of the store loses nothing."""
    bucket = s3.create_bucket("restarted")
    s3.put(bucket, KEY, b"kept")
    s3.restart()
    assert s3.get(bucket, KEY) == b"kept"
    assert s3.keys(bucket) == [KEY]
    s3.delete(bucket, KEY)
    assert s3.get(bucket, KEY) is None
