"""What S3 and those like it refuse, and what an admin does next: the cause that the answer names, never another one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.s3.store import S3Store
from tests.support.builders import DOCUMENT
from tests.support.scripted import Answer, ObjectServer, Request, ScriptedServer, s3_error

Serve = Callable[..., ScriptedServer]
StoreOf = Callable[..., S3Store]
JWKS = "openid/v1/jwks"
NAME = f"s3://bucket/prod/{JWKS}"
WHO = "User: arn:aws:sts::123456789012:assumed-role/r/botocore-session-17 is not authorized to perform:"
WHAT = f'on resource: "arn:aws:s3:::bucket/prod/{JWKS}"'
UNLOCK = (
    "Remove the retention or legal hold from the two objects, or choose a bucket without Object Lock: documents that"
    " cannot be replaced cannot follow the cluster's keys."
)
DEMANDS = (
    "It may demand encryption (spec.store.s3.serverSideEncryption), or an ACL, which the operator never sends: except its"
    " role from that statement."
)

#: answer to a PUT, message, hint
WRITES = {
    "explicit-in-bucket-policy": (
        s3_error(403, "AccessDenied", f"{WHO} s3:PutObject {WHAT} with an explicit deny in a resource-based policy"),
        f"s3:PutObject on {NAME} is denied explicitly by a resource-based policy",
        f"No allow mends an explicit deny: look for it in the policy of the bucket. {DEMANDS}",
    ),
    "explicit-in-scp": (
        s3_error(403, "AccessDenied", f"{WHO} s3:PutObject {WHAT} with an explicit deny in a service control policy"),
        f"s3:PutObject on {NAME} is denied explicitly by a service control policy",
        f"No allow mends an explicit deny: look for it in the policies of the organization. {DEMANDS}",
    ),
    "explicit-in-named-policy": (
        s3_error(
            403,
            "AccessDenied",
            f"{WHO} s3:PutObject {WHAT} with an explicit deny in an identity-based policy: arn:aws:iam::1:policy/p",
        ),
        f"s3:PutObject on {NAME} is denied explicitly by an identity-based policy",
        f"No allow mends an explicit deny: look for it in the policies of the role. {DEMANDS}",
    ),
    "not-allowed-by-endpoint": (
        s3_error(
            403,
            "AccessDenied",
            f"{WHO} s3:PutObject {WHAT} because no VPC endpoint policy allows the s3:PutObject action",
        ),
        f"s3:PutObject on {NAME} is denied: no VPC endpoint policy allows it",
        "Allow the operator s3:PutObject in the policy of the VPC endpoint; an allow elsewhere is not enough.",
    ),
    "not-allowed-by-boundary": (
        s3_error(
            403,
            "AccessDenied",
            f"{WHO} s3:PutObject {WHAT} because no permissions boundary allows the s3:PutObject action",
        ),
        f"s3:PutObject on {NAME} is denied: no permissions boundary allows it",
        "Allow the operator s3:PutObject in the permissions boundary of the role; an allow elsewhere is not enough.",
    ),
    "not-allowed-by-role": (
        s3_error(
            403,
            "AccessDenied",
            f"{WHO} s3:PutObject {WHAT} because no identity-based policy allows the s3:PutObject action",
        ),
        f"s3:PutObject on {NAME} is denied: no identity-based policy allows it",
        "Allow the operator s3:PutObject.",
    ),
    "silent": (
        s3_error(403, "AccessDenied", "Access Denied"),
        f"s3:PutObject on {NAME} is denied",
        "Allow the operator s3:PutObject. Where it is allowed, look for a Deny in the bucket's policy. " + DEMANDS,
    ),
    "quota": (
        s3_error(403, "QuotaExceeded"),
        f"s3:PutObject on {NAME}: http://127.0.0.1 answers QuotaExceeded (403)",
        "The quota of the bucket or of its owner is used up: raise it, or remove what is not needed.",
    ),
    "suspended": (
        s3_error(403, "UserSuspended"),
        f"s3:PutObject on {NAME}: http://127.0.0.1 answers UserSuspended (403)",
        "This is no missing permission. Look the code up in the manual of the store. Its own words are in the operator's log.",
    ),
    "unknown-code": (
        s3_error(403, "SomethingOfTheirs"),
        f"s3:PutObject on {NAME}: http://127.0.0.1 answers SomethingOfTheirs (403)",
        "This is no missing permission. Look the code up in the manual of the store. Its own words are in the operator's log.",
    ),
    "firewall": (
        Answer(403, {"Content-Type": "text/html"}, b"<html><body>Sorry, you have been blocked<br></body></html>"),
        f"s3:PutObject on {NAME}: http://127.0.0.1 answers 403, but not as S3 does",
        "A proxy, a firewall or a login page answers there: look at endpointURL and at what stands before it.",
    ),
    "locked": (
        s3_error(403, "AccessDenied", "Access Denied because object protected by object lock."),
        f"s3:PutObject on {NAME} is refused because of Object Lock (AccessDenied)",
        UNLOCK,
    ),
    "locked-as-minio-says": (
        s3_error(400, "ObjectLocked", "Object is WORM protected and cannot be overwritten"),
        f"s3:PutObject on {NAME} is refused because of Object Lock (ObjectLocked)",
        UNLOCK,
    ),
}


@pytest.mark.parametrize(("answer", "message", "hint"), WRITES.values(), ids=WRITES.keys())
async def test_a_refused_write_names_its_cause(
    serve: Serve, store_of: StoreOf, answer: Answer, message: str, hint: str
) -> None:
    """Nothing that differs from call to call is repeated, and what does not mend it is not advised."""
    server = serve(lambda _: answer)
    with pytest.raises(StoreError) as caught:
        await store_of(server).write(JWKS, DOCUMENT, expected=None)
    said = str(caught.value).replace(server.url, "http://127.0.0.1")
    assert (caught.value.reason, said, caught.value.hint) == (Reason.AccessDenied, message, hint)
    assert caught.value.subject == NAME
    assert server.methods() == ["PUT"]


async def test_an_explicit_deny_of_a_read_does_not_speak_of_encryption(serve: Serve, store_of: StoreOf) -> None:
    """A read carries neither headers of encryption nor an ACL."""
    text = f"{WHO} s3:GetObject {WHAT} with an explicit deny in a resource-based policy"
    with pytest.raises(StoreError) as caught:
        await store_of(serve(lambda _: s3_error(403, "AccessDenied", text))).read(JWKS)
    assert caught.value.hint == "No allow mends an explicit deny: look for it in the policy of the bucket."


async def test_what_s3_does_not_understand_is_not_blamed_on_the_network(serve: Serve, store_of: StoreOf) -> None:
    """400 InvalidRequest stays for as long as nobody changes something; the words are in the log."""
    with pytest.raises(StoreError) as caught:
        await store_of(serve(lambda _: s3_error(400, "InvalidRequest"))).write(JWKS, DOCUMENT, expected=None)
    assert (caught.value.reason, caught.value.retryable) == (Reason.StoreUnavailable, False)
    assert caught.value.hint == "Look the code up in the manual of the store. Its own words are in the operator's log."


async def test_a_bucket_with_object_lock_takes_our_writes(serve: Serve, store_of: StoreOf) -> None:
    """S3: "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"."""
    objects = ObjectServer("If-Match", "If-None-Match")

    def script(request: Request) -> Answer:
        digest = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
        if request.method == "PUT" and request.headers.get("Content-MD5") != digest:
            return s3_error(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required")
        return objects(request)

    store = store_of(serve(script), proven=False)
    written = await store.write(JWKS, DOCUMENT, expected=None)
    assert (await store.read(JWKS) or written).document == DOCUMENT


@pytest.mark.parametrize(
    ("algorithm", "key", "headers"),
    [
        (None, None, {}),
        ("AES256", None, {"x-amz-server-side-encryption": "AES256"}),
        ("aws:kms", None, {"x-amz-server-side-encryption": "aws:kms"}),
        (
            "aws:kms",
            "alias/oidc",
            {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "alias/oidc"},
        ),
    ],
)
async def test_encryption_is_asked_for_as_the_object_says(
    serve: Serve, store_of: StoreOf, algorithm: str | None, key: str | None, headers: dict[str, str]
) -> None:
    """With every write, those that must fail among them: a policy that demands it demands it of all. Reads have none."""
    server = serve(ObjectServer("If-Match", "If-None-Match"))
    store = store_of(server, proven=False, encryption=(algorithm, key))
    await store.write(JWKS, DOCUMENT, expected=None)
    await store.read(JWKS)
    for request in server.requests:
        sent = {k.lower(): v for k, v in request.headers.items() if "encryption" in k.lower()}
        assert sent == (headers if request.method == "PUT" else {})
    assert server.methods().count("PUT") == 3
