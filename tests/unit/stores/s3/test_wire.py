"""What S3 gets to see of the operator, request by request, over the whole life of a document."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Callable

import pytest

from oidc_publisher.stores.s3.store import S3Store
from tests.support.builders import DOCUMENT
from tests.support.scripted import ObjectServer, Request, ScriptedServer

Serve = Callable[..., ScriptedServer]
StoreOf = Callable[..., S3Store]
JWKS = "openid/v1/jwks"
OWNER = "123456789012"
NOBODYS = '"00000000000000000000000000000000"'


@pytest.fixture
async def life(serve: Serve, store_of: StoreOf) -> list[Request]:
    """Every request of a store that creates a document, reads it twice, replaces it and deletes it."""
    objects = ObjectServer("If-Match", "If-None-Match", "delete")
    server = serve(objects)
    store = store_of(server, proven=False, owner=OWNER)
    assert await store.read(JWKS) is None
    written = await store.write(JWKS, DOCUMENT, expected=None)
    objects.now += 60
    for _ in range(2):
        await store.read(JWKS)
    second = await store.write(JWKS, dataclasses.replace(DOCUMENT, body=b"2"), expected=written.version)
    await store.delete(JWKS, expected=second.version)
    assert objects.objects == {}
    return server.requests


def test_the_calls_are_these_and_no_others(life: list[Request]) -> None:
    """GET, PUT, DELETE of one key: no HEAD, no listing, no question about the bucket or its ACL."""
    methods = [request.method for request in life]
    assert methods == ["GET", "PUT", "PUT", "PUT", "GET", "GET", "PUT", "GET", "DELETE"]
    assert {request.path for request in life} == {f"/bucket/prod/{JWKS}"}


def test_every_call_names_the_expected_owner(life: list[Request]) -> None:
    """Reads, writes, the writes that must fail and the deletion: a bucket may change hands between any two of them."""
    assert [request.headers.get("x-amz-expected-bucket-owner") for request in life] == [OWNER] * len(life)


def test_no_call_carries_an_acl_or_a_checksum_of_the_sdk(life: list[Request]) -> None:
    """Buckets refuse ACLs since 2023, and a checksum's trailer would make the object aws-chunked for strangers."""
    forbidden = ("acl", "grant", "checksum", "trailer", "content-encoding", "transfer-encoding")
    names = {name.lower() for request in life for name in request.headers}
    assert not [name for name in names if any(word in name for word in forbidden)]


def test_every_write_has_its_condition(life: list[Request]) -> None:
    """None overwrites what was not read: created if absent, replaced and deleted if it is the version that was read."""
    etags = ['"99914b932bd37a50b983c5e7c90ae93b"', '"c81e728d9d4c2f636f067f89cc14862c"']  # the MD5 of {} and of 2
    writes = [request for request in life if request.method != "GET"]
    conditions = [(r.headers.get("If-None-Match"), r.headers.get("If-Match")) for r in writes]
    assert conditions == [("*", None), ("*", None), (None, NOBODYS), (None, etags[0]), (None, etags[1])]


def test_every_write_carries_headers_and_mark(life: list[Request]) -> None:
    """Content-Type, Cache-Control and the owner mark are the object's own; the body is sent as it is."""
    for request in (request for request in life if request.method == "PUT"):
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert headers["content-type"] == DOCUMENT.content_type
        assert headers["cache-control"] == DOCUMENT.cache_control
        assert headers["x-amz-meta-owner"] == DOCUMENT.metadata["owner"]
        assert int(headers["content-length"]) == len(request.body) == len(request.body.strip())
        digest = hashlib.md5(request.body, usedforsecurity=False).digest()
        assert headers["content-md5"] == base64.b64encode(digest).decode(), "Object Lock takes no write without"


def test_an_unchanged_document_is_asked_for_by_its_version(life: list[Request]) -> None:
    """The second read of a document that has settled transfers no body."""
    reads = [request.headers.get("If-None-Match") for request in life if request.method == "GET"]
    assert reads[:3] == [None, None, '"99914b932bd37a50b983c5e7c90ae93b"']
