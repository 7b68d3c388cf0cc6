"""Whom a call goes to: Amazon's partitions and other servers, and how the bucket is named there."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from tests.support.builders import DOCUMENT

JWKS = "openid/v1/jwks"
#: A region of each partition, and the domain that botocore's own list of endpoints gives it.
PARTITIONS = {
    "aws": ("eu-central-1", "amazonaws.com"),
    "aws-cn": ("cn-north-1", "amazonaws.com.cn"),
    "aws-us-gov": ("us-gov-west-1", "amazonaws.com"),
    "aws-eusc": ("eusc-de-east-1", "amazonaws.eu"),
    "aws-iso": ("us-iso-east-1", "c2s.ic.gov"),
    "aws-iso-b": ("us-isob-east-1", "sc2s.sgov.gov"),
    "aws-iso-e": ("eu-isoe-west-1", "cloud.adc-e.uk"),
    "aws-iso-f": ("us-isof-south-1", "csp.hci.ic.gov"),
}


class Body(io.BytesIO):
    """A body as urllib3 hands it out."""

    def stream(self) -> Iterator[bytes]:
        """Everything at once."""
        yield self.read()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[AWSPreparedRequest]:
    """What is sent instead of sending it; every object is absent, and every exchange for credentials succeeds."""
    requests: list[AWSPreparedRequest] = []

    def send(_: object, request: AWSPreparedRequest) -> AWSResponse:
        requests.append(request)
        if "sts." in str(request.url):
            return answer(request, 200, _CREDENTIALS)
        if request.method == "PUT":
            return answer(request, 200, ETag='"1"')
        return answer(request, 404, b"<Error><Code>NoSuchKey</Code></Error>")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", send)
    return requests


@pytest.fixture(scope="module")
def clients() -> S3Clients:
    """Clients for tests that each ask another endpoint: only the first of a session costs 300 ms."""
    return S3Clients()


def answer(request: AWSPreparedRequest, status: int, body: bytes = b"", **headers: str) -> AWSResponse:
    return AWSResponse(str(request.url), status, cast("HTTPHeaders", headers), Body(body))


_CREDENTIALS = b"""<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


@pytest.mark.parametrize(("region", "domain"), PARTITIONS.values(), ids=PARTITIONS.keys())
@pytest.mark.parametrize("style", ["Auto", "Virtual", "Path"])
async def test_each_partition_is_reached_at_its_own_domain(
    sent: list[AWSPreparedRequest], clients: S3Clients, region: str, domain: str, style: str
) -> None:
    """The bucket is named in the host unless Path is asked for; a request is signed for the bucket's region."""
    store = S3Store(S3Place("example-oidc", "prod"), S3Endpoint(region, addressing_style=style), clients)
    await store.read(JWKS)
    await store.write(JWKS, DOCUMENT, expected=None)
    host, path = f"s3.{region}.{domain}", f"/prod/{JWKS}"
    expected = f"https://{host}/example-oidc{path}" if style == "Path" else f"https://example-oidc.{host}{path}"
    assert [request.url for request in sent] == [expected] * 2, "a GET and a PUT: Amazon need not prove itself"
    for request in sent:
        assert f"/{region}/s3/aws4_request" in str(request.headers["Authorization"])


@pytest.mark.parametrize(("region", "domain"), PARTITIONS.values(), ids=PARTITIONS.keys())
@pytest.mark.usefixtures("sent")
def test_messages_name_the_server_that_is_asked(clients: S3Clients, region: str, domain: str) -> None:
    """The origin in a message is botocore's, in every partition."""
    endpoint = S3Endpoint(region)
    assert endpoint.origin == clients.get(endpoint).client.meta.endpoint_url == f"https://s3.{region}.{domain}"


@pytest.mark.parametrize(
    ("url", "amazon"),
    [
        (None, True),
        ("https://s3.dualstack.eu-central-1.amazonaws.com", True),
        ("https://s3-fips.us-gov-west-1.amazonaws.com", True),
        ("https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://s3.eusc-de-east-1.amazonaws.eu", True),
        ("https://s3.us-iso-east-1.c2s.ic.gov", True),
        ("https://s3.amazonaws.com", True),
        ("https://s3-external-1.amazonaws.com", True),
        ("https://s3-us-west-2.amazonaws.com", True),
        ("https://S3.EU-CENTRAL-1.AMAZONAWS.COM.", True),
        ("https://s3-accelerate.dualstack.amazonaws.com", True),
        ("https://example.oidc.s3.eu-central-1.amazonaws.com", True),
        ("https://point-123456789012.s3-accesspoint.eu-central-1.amazonaws.com", True),
        ("https://vpce-1a2b-3c4d-eu-central-1a.s3.eu-central-1.vpce.amazonaws.com", True),
        ("https://minio-0123456789.eu-central-1.elb.amazonaws.com", False),
        ("https://s3-0123456789abcdef.elb.eu-central-1.amazonaws.com", False),
        ("https://s3.elb.amazonaws.com", False),
        ("https://ec2-192-0-2-7.eu-central-1.compute.amazonaws.com", False),
        ("https://vpce-1a2b.vpce-svc-3c4d.eu-central-1.vpce.amazonaws.com", False),
        ("https://abc.execute-api.eu-central-1.amazonaws.com", False),
        ("https://bucket.s3-website.eu-central-1.amazonaws.com", False),
        ("https://amazonaws.com", False),
        ("https://minio.example.com", False),
        ("https://amazonaws.com.example.com", False),
        ("https://s3.amazonaws.eu.example.com:9000", False),
        ("https://notamazonaws.com", False),
    ],
)
def test_amazon_is_told_from_those_who_only_sound_like_it(url: str | None, *, amazon: bool) -> None:
    """A server that is not Amazon's must prove that it honours preconditions."""
    assert S3Endpoint("eu-central-1", url).is_amazon is amazon


@pytest.mark.parametrize("region", [region for region, _ in PARTITIONS.values()])
def test_every_partition_without_endpoint_url_is_amazon(region: str) -> None:
    """No endpointURL means Amazon."""
    assert S3Endpoint(region).is_amazon


@pytest.mark.parametrize(
    ("style", "url"),
    [
        ("Path", f"https://minio.example.com:9000/example-oidc/prod/{JWKS}"),
        ("Virtual", f"https://example-oidc.minio.example.com:9000/prod/{JWKS}"),
        ("Auto", f"https://minio.example.com:9000/example-oidc/prod/{JWKS}"),
    ],
)
async def test_another_server_is_addressed_as_asked(sent: list[AWSPreparedRequest], style: str, url: str) -> None:
    """Many of them need Path, which is also what Auto gives them."""
    endpoint = S3Endpoint("us-east-1", "https://minio.example.com:9000", style)
    await S3Store(S3Place("example-oidc", "prod"), endpoint, S3Clients()).read(JWKS)
    assert sent[0].url == url


async def test_a_bucket_with_a_dot_is_named_in_the_path(sent: list[AWSPreparedRequest]) -> None:
    """No wildcard certificate holds for two labels."""
    await S3Store(S3Place("oidc.example.com"), S3Endpoint("eu-central-1"), S3Clients()).read(JWKS)
    assert sent[0].url == f"https://s3.eu-central-1.amazonaws.com/oidc.example.com/{JWKS}"


@pytest.mark.parametrize(("region", "domain"), PARTITIONS.values(), ids=PARTITIONS.keys())
async def test_a_web_identity_is_exchanged_in_the_partition_of_the_bucket(
    sent: list[AWSPreparedRequest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, region: str, domain: str
) -> None:
    """The operator's own region need not be set: STS is asked where the bucket lies."""
    (tmp_path / "token").write_text("a.b.c")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/publisher")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    await S3Store(S3Place("example-oidc"), S3Endpoint(region), S3Clients()).read(JWKS)
    assert urlsplit(str(sent[0].url)).hostname == f"sts.{region}.{domain}"
    assert sent[1].headers["X-Amz-Security-Token"] in ("token", b"token")
