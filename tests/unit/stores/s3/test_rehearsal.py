"""A write that has to fail, at servers that heed both, one or none of its two reasons to fail."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.port import Rehearsal
from oidc_publisher.stores.s3.store import S3Store
from tests.support.builders import DOCUMENT
from tests.support.scripted import Answer, ObjectServer, Request, ScriptedServer, s3_error

Serve = Callable[..., ScriptedServer]
StoreOf = Callable[..., S3Store]
JWKS = "openid/v1/jwks"


class Careful(ObjectServer):
    """A server that compares Content-MD5 with the bytes after it has looked at the preconditions."""

    def _put(self, request: Request) -> Answer:
        before = dict(self.objects)
        answer = super()._put(request)
        promised = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
        if answer.status != 200 or request.headers["Content-MD5"] == promised:
            return answer
        self.objects = before
        return s3_error(400, "BadDigest")


async def test_conditions_are_seen_to_be_honoured_and_nothing_is_stored(serve: Serve, store_of: StoreOf) -> None:
    """With a document there and without one."""
    objects = Careful("If-Match", "If-None-Match")
    store = store_of(serve(objects))
    assert await store.rehearse(JWKS) is Rehearsal.UNDECIDED  # If-None-Match would hold
    assert objects.objects == {}
    await store.write(JWKS, DOCUMENT, expected=None)
    before = dict(objects.objects)
    assert await store.rehearse(JWKS) is Rehearsal.REFUSED_BY_CONDITION
    assert objects.objects == before


@pytest.mark.parametrize("honours", [(), ("If-Match",), ("If-None-Match",)], ids=" ".join)
async def test_a_server_that_compares_too_little_is_not_believed(
    honours: tuple[str, ...], serve: Serve, store_of: StoreOf
) -> None:
    """The wrong Content-MD5 keeps what is stored as it is, and the rehearsal does not say that versions are compared."""
    objects = Careful("If-Match", "If-None-Match")
    store = store_of(serve(objects))
    await store.write(JWKS, DOCUMENT, expected=None)
    objects.honours, before = honours, dict(objects.objects)
    assert await store.rehearse(JWKS) is Rehearsal.UNDECIDED
    assert objects.objects == before


async def test_a_server_that_checks_nothing_is_found_out_and_keeps_what_it_had(serve: Serve, store_of: StoreOf) -> None:
    """It accepts what must fail: the same bytes over a document, and nothing stays where there was none."""
    objects = ObjectServer("If-Match", "If-None-Match")
    store = store_of(serve(objects))
    await store.write(JWKS, DOCUMENT, expected=None)
    objects.honours, before = (), {path: body for path, (body, _) in objects.objects.items()}
    for path in (JWKS, "other"):
        with pytest.raises(StoreError) as refused:
            await store.rehearse(path)
        assert refused.value.reason is Reason.ConditionalWritesUnsupported
        assert {path: body for path, (body, _) in objects.objects.items()} == before


async def test_who_may_not_write_is_told_so(serve: Serve, store_of: StoreOf) -> None:
    """Servers look at the rights first, and at the condition afterwards."""
    objects = Careful("If-Match", "If-None-Match")

    def readable(request: Request) -> Answer:
        return s3_error(403, "AccessDenied") if request.method == "PUT" else objects(request)

    with pytest.raises(StoreError, match="s3:PutObject on s3://bucket/prod/openid/v1/jwks is denied") as refused:
        await store_of(serve(readable)).rehearse(JWKS)
    assert refused.value.reason is Reason.AccessDenied
