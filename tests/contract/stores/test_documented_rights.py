"""The smallest policies in docs/how-to: what they allow is what an issuer's whole life calls, and nothing less will do."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document, Store
from oidc_publisher.stores.cloudfront.distribution import CloudFrontClients, CloudFrontDistribution
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.endpoint import S3Endpoint
from oidc_publisher.stores.s3.store import S3Place, S3Store
from tests.contract.stores.conftest import Bucket, GCSBucket
from tests.support.cloudfrontapi import CloudFrontAPI
from tests.support.s3server import S3Server

pytestmark = pytest.mark.live

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
PATHS = ("openid/v1/jwks", ".well-known/openid-configuration")
#: The permission that S3 asks for at each call (docs.aws.amazon.com, Actions for Amazon S3).
S3_ACTIONS = {"GetObject": "s3:GetObject", "PutObject": "s3:PutObject", "DeleteObject": "s3:DeleteObject"}
#: Without it "absent" looks like "forbidden"; no call of its own belongs to it.
S3_TO_SEE_ABSENCE = "s3:ListBucket"
#: What Cloud Storage asks for at each call (docs.cloud.google.com, IAM permissions for JSON methods).
GCS_PERMISSIONS = {
    "get": {"storage.objects.get"},
    "media": {"storage.objects.get"},
    "insert": {"storage.objects.create", "storage.objects.delete"},  # delete: an object that is there is replaced
    "delete": {"storage.objects.delete"},
}
GCS_TO_SEE_ABSENCE = "storage.objects.list"


async def live(store: Store, document: Document) -> None:
    """What an issuer's documents go through: absent, created, read, replaced, deleted."""
    for path in PATHS:
        assert await store.read(path) is None
        await store.write(path, document, expected=None)
        found = await store.read(path)
        assert found is not None
        await store.write(path, dataclasses.replace(document, body=b"{}"), expected=found.version)
    for path in reversed(PATHS):
        found = await store.read(path)
        assert found is not None
        await store.delete(path, expected=found.version)


def own_policies(page: str) -> list[dict[str, Any]]:
    """The policies of a page that are for the operator, not for those who read."""
    blocks = re.findall(r"```json\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)
    return [policy for policy in map(json.loads, blocks) if "Principal" not in policy["Statement"][0]]


def s3_statements() -> list[dict[str, Any]]:
    """The operator's own policy on the page of S3, without the right to delete, which the page names beside it."""
    (own,) = own_policies("publish-to-s3.md")
    statements: list[dict[str, Any]] = own["Statement"]
    return statements


def actions(statements: list[dict[str, Any]]) -> set[str]:
    """What the statements allow."""
    return {a for s in statements for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}


def with_deletion(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the page says for `deletionPolicy: Delete`: one more action on both keys."""
    assert (
        "`s3:DeleteObject` on both keys only with `deletionPolicy: Delete`" in (HOW_TO / "publish-to-s3.md").read_text()
    )
    keys, *others = statements
    return [{**keys, "Action": [*keys["Action"], "s3:DeleteObject"]}, *others]


def limited(bucket: Bucket, statements: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A store of a user who may do what the statements say, and nothing else.

    versitygw has no policies of users, so the bucket's says it of the user; it knows no condition on the prefix.
    """
    user, secret = f"user{secrets.token_hex(4)}", secrets.token_hex(16)
    bucket.server.create_user(user, secret)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    said = json.dumps([{k: v for k, v in s.items() if k != "Condition"} for s in statements])
    renamed: list[dict[str, Any]] = json.loads(said.replace("example-oidc", bucket.name))
    bucket.server.set_policy(bucket.name, *({**s, "Principal": {"AWS": [user]}} for s in renamed))
    return S3Store(S3Place(bucket.name, "prod"), bucket.endpoint, S3Clients())


async def test_the_policy_for_s3_is_what_is_called(
    bucket: Bucket, s3: S3Server, discovery: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user with exactly these rights takes an issuer through its life; the server's log has no call that needs others."""
    statements = with_deletion(s3_statements())
    store = limited(bucket, statements, monkeypatch)
    s3.forget_requests()
    await live(store, discovery)
    called = {S3_ACTIONS[operation] for operation in s3.requests(bucket.name)}
    assert called | {S3_TO_SEE_ABSENCE} == actions(statements)


# Without s3:ListBucket versitygw still says 404, where Amazon's S3 says 403 (API reference, GetObject).
@pytest.mark.parametrize("action", S3_ACTIONS.values())
async def test_the_policy_for_s3_has_no_action_too_many(
    bucket: Bucket, discovery: Document, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """Without any one of them the life ends early, and the refusal names the action."""
    statements = with_deletion(s3_statements())
    fewer = [{**s, "Action": sorted(actions([s]) - {action})} for s in statements]
    store = limited(bucket, [s for s in fewer if s["Action"]], monkeypatch)
    with pytest.raises(StoreError) as caught:
        await live(store, discovery)
    assert caught.value.reason is Reason.AccessDenied
    assert action in f"{caught.value} {caught.value.hint}"


async def test_the_policy_for_cloudfront_is_what_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the distribution, an invalidation and its end: three operations, which the page allows on the one."""
    (own,) = own_policies("publish-behind-cloudfront.md")
    called: set[str] = set()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with CloudFrontAPI("E1STANDIN", "example-oidc.s3.eu-central-1.amazonaws.com") as api:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", api.url)
        clients = CloudFrontClients(S3Clients())
        events = clients.get("eu-central-1").meta.events
        events.register("before-call.cloudfront", lambda model, **_: called.add(f"cloudfront:{model.name}"))
        distribution = CloudFrontDistribution("E1STANDIN", "example-oidc", S3Endpoint("eu-central-1"), clients)
        await distribution.check()
        await distribution.completed(await distribution.invalidate(["/prod/openid/v1/jwks"], "reference"))
    assert called == actions(own["Statement"])


async def test_the_role_for_google_is_what_is_called(gcs_bucket: GCSBucket, discovery: Document) -> None:
    """The stand-in has no IAM, so each call is held against what Google's documentation says that it needs."""
    text = (HOW_TO / "publish-to-gcs.md").read_text()
    (said,) = re.findall(r"--permissions=(\S+)", text)
    documented = set(said.split(","))
    gcs_bucket.server.forget_requests()
    await live(gcs_bucket.store(), discovery)
    called = set().union(*(GCS_PERMISSIONS[method] for method in gcs_bucket.server.requests(gcs_bucket.name)))
    assert called | {GCS_TO_SEE_ABSENCE} == documented
    assert all(f"| `{permission}` |" in text for permission in documented), "each has a line that says what it is for"
