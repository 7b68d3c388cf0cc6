"""The port to a distribution, on everything that speaks CloudFront: moto, the CDN stand-in, memory; and what they refuse."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason, Severity
from oidc_publisher.stores import Distribution
from oidc_publisher.stores.cloudfront.distribution import CloudFrontClients, CloudFrontDistribution
from oidc_publisher.stores.cloudfront.memory import MemoryDistribution
from oidc_publisher.stores.cloudfront.origins import DistributionOrigin, origins_mismatch
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.endpoint import S3Endpoint
from tests.support.cloudfrontapi import CloudFrontAPI
from tests.support.motoserver import MotoServer
from tests.support.processes import free_port

BUCKET, REGION = "example-oidc", "eu-central-1"
ENDPOINT = S3Endpoint(REGION)
ORIGIN = f"{BUCKET}.s3.{REGION}.amazonaws.com"
PATHS = ("/prod/.well-known/openid-configuration", "/prod/openid/v1/jwks")
Make = Callable[..., CloudFrontDistribution]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials as an operator's environment may have them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    """Distributions with clients of their own, so that nothing is kept from test to test."""
    request.getfixturevalue("credentials")
    clients = CloudFrontClients(S3Clients())

    def made(name: str, bucket: str = BUCKET, endpoint: S3Endpoint = ENDPOINT) -> CloudFrontDistribution:
        return CloudFrontDistribution(name, bucket, endpoint, clients)

    return made


@pytest.fixture
def on_moto(make: Make, moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Moto as CloudFront, found as AWS's own setting says."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", moto.endpoint_url)
    return make


def created(moto: MotoServer, *hosts: str) -> str:
    """A distribution on moto with these origins."""
    origins = [
        {"Id": f"origin-{number}", "DomainName": host, "S3OriginConfig": {"OriginAccessIdentity": ""}}
        for number, host in enumerate(hosts)
    ]
    answer = moto.make_client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": str(uuid.uuid4()),
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": len(origins), "Items": origins},
            "DefaultCacheBehavior": {"TargetOriginId": "origin-0", "ViewerProtocolPolicy": "https-only"},
        }
    )
    name: str = answer["Distribution"]["Id"]
    return name


@pytest.fixture(params=["moto", "stand-in", "memory"])
def distribution(
    request: pytest.FixtureRequest, make: Make, moto: MotoServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Distribution]:
    """Every implementation, and every server for the real one."""
    if request.param == "memory":
        memory = MemoryDistribution()
        monkeypatch.setattr(memory, "done", _Everything())
        yield memory
    elif request.param == "moto":
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", moto.endpoint_url)
        yield make(created(moto, ORIGIN))
    else:
        with CloudFrontAPI("E1STANDIN", ORIGIN) as api:
            monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", api.url)
            yield make("E1STANDIN")


class _Everything(set[str]):
    def __contains__(self, item: object) -> bool:
        return item is not None


@pytest.mark.parametrize("paths", [PATHS, PATHS[1:]], ids=["both", "one"])
async def test_an_invalidation_is_taken_and_completed(distribution: Distribution, paths: tuple[str, ...]) -> None:
    """The ID of an invalidation leads to its end, however the server writes that word (moto: COMPLETED)."""
    await distribution.check()
    invalidation = await distribution.invalidate(paths, "reference-1")
    for _ in range(100):
        if await distribution.completed(invalidation):
            return
    pytest.fail("not completed")


async def test_the_server_gets_exactly_the_paths_and_the_reference(on_moto: Make, moto: MotoServer) -> None:
    """What moto has noted is what was asked for."""
    name = created(moto, ORIGIN)
    invalidation = await on_moto(name).invalidate(PATHS, "reference-1")
    noted = moto.make_client("cloudfront").get_invalidation(DistributionId=name, Id=invalidation)["Invalidation"]
    assert sorted(noted["InvalidationBatch"]["Paths"]["Items"]) == sorted(PATHS)
    assert noted["InvalidationBatch"]["CallerReference"] == "reference-1"


async def test_a_reference_that_was_used_is_the_same_invalidation(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the API's documentation says of CallerReference, and as the stand-in and memory do; moto makes another one."""
    with CloudFrontAPI("E1STANDIN", ORIGIN) as api:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", api.url)
        for each in (make("E1STANDIN"), MemoryDistribution()):
            assert await each.invalidate(PATHS, "a") == await each.invalidate(PATHS, "a")
            assert await each.invalidate(PATHS, "a") != await each.invalidate(PATHS, "b")
        assert len(api.invalidations) == 2


async def test_a_distribution_that_does_not_exist_is_named(on_moto: Make) -> None:
    """NoSuchDistribution is a origins_mismatch with a sentence of its own, whichever call finds it."""
    missing = on_moto("ENOSUCHONE")
    for call in (missing.check(), missing.invalidate(PATHS, "a"), missing.completed("I1")):
        with pytest.raises(StoreError) as caught:
            await call
        assert caught.value.reason is Reason.DistributionMismatch
        assert caught.value.message == "There is no distribution ENOSUCHONE in the operator's account"


async def test_an_invalidation_that_is_forgotten_is_over(on_moto: Make, moto: MotoServer) -> None:
    """NoSuchInvalidation is no error: there is nothing to wait for."""
    assert await on_moto(created(moto, ORIGIN)).completed("INOSUCHONE") is True


SERVES = [
    "example-oidc.s3.eu-central-1.amazonaws.com",
    "example-oidc.s3.amazonaws.com",
    "example-oidc.s3-eu-central-1.amazonaws.com",
    "example-oidc.s3.dualstack.eu-central-1.amazonaws.com",
    "example-oidc.s3-website.eu-central-1.amazonaws.com",
    "example-oidc.s3-website-eu-central-1.amazonaws.com",
    "EXAMPLE-oidc.s3.eu-central-1.amazonaws.com",
    "tenant-0123-s3alias.s3.eu-central-1.amazonaws.com",
]
SERVES_NOT = [
    "other-oidc.s3.eu-central-1.amazonaws.com",
    "my.example-oidc.s3.eu-central-1.amazonaws.com",
    "example-oidc.s3.eu-central-1.amazonaws.com.example.com",
    "example-oidc.example.com",
    "s3.eu-central-1.amazonaws.com",
]


@pytest.mark.parametrize("host", SERVES)
def test_every_form_of_the_buckets_host_is_known(host: str) -> None:
    """Regional, global, old, dual stack, website; and the alias of an access point, which may be the bucket's."""
    assert (
        origins_mismatch(
            "E1ABCDEF", [DistributionOrigin("www.example.com"), DistributionOrigin(host)], BUCKET, ENDPOINT
        )
        is None
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-1", "example-oidc.s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "example-oidc.s3.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "example-oidc.s3.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_buckets_of_every_partition_are_known(region: str, host: str) -> None:
    """The domain differs, the form does not."""
    assert origins_mismatch("E1ABCDEF", [DistributionOrigin(host)], BUCKET, S3Endpoint(region)) is None


def test_a_bucket_may_be_named_by_the_origin_path() -> None:
    """The region's host with the bucket as the first segment; another first segment is another bucket."""
    host = f"s3.{REGION}.amazonaws.com"
    assert origins_mismatch("E1ABCDEF", [DistributionOrigin(host, f"/{BUCKET}/prod")], BUCKET, ENDPOINT) is None
    assert origins_mismatch("E1ABCDEF", [DistributionOrigin(host, f"/other/{BUCKET}")], BUCKET, ENDPOINT) is not None


@pytest.mark.parametrize("host", SERVES_NOT)
def test_another_origin_is_none_of_the_buckets(host: str) -> None:
    """The sentence names what the distribution serves instead."""
    expected = f"Distribution E1ABCDEF serves {host}, not the bucket {BUCKET}"
    assert origins_mismatch("E1ABCDEF", [DistributionOrigin(host)], BUCKET, ENDPOINT) == expected


@pytest.mark.parametrize(("host", "good"), [("oidc.example.com", True), ("s3.example.com", False)])
def test_another_server_than_amazons_is_known_by_its_host(host: str, *, good: bool) -> None:
    """With endpointURL the origin is that host, whatever its port, with or without the bucket before it."""
    endpoint = S3Endpoint("us-east-1", "https://oidc.example.com:9000")
    for each in (host, f"{BUCKET}.{host}"):
        assert (origins_mismatch("E1ABCDEF", [DistributionOrigin(each)], BUCKET, endpoint) is None) is good


async def test_a_distribution_of_another_bucket_is_a_mismatch(on_moto: Make, moto: MotoServer) -> None:
    """The finding is critical, and says what to do."""
    name = created(moto, "other-oidc.s3.eu-central-1.amazonaws.com")
    with pytest.raises(StoreError) as caught:
        await on_moto(name).check()
    finding = caught.value.finding()
    assert (finding.reason, finding.subject, finding.stalled) == (Reason.DistributionMismatch, name, True)
    assert finding.message == (
        f"Distribution {name} serves other-oidc.s3.eu-central-1.amazonaws.com, not the bucket {BUCKET}."
    )
    assert finding.advice == "Set distributionID to the distribution of this bucket, or correct its origin."


async def test_the_bucket_in_another_region_is_a_mismatch(on_moto: Make, moto: MotoServer) -> None:
    """S3 would answer the distribution with PermanentRedirect."""
    name = created(moto, f"{BUCKET}.s3.us-west-2.amazonaws.com")
    with pytest.raises(StoreError) as caught:
        await on_moto(name).check()
    assert caught.value.message == (
        f"The origin of distribution {name} has bucket {BUCKET} in us-west-2; it lies in {REGION}"
    )


def _refused(code: str, status: int) -> dict[str, Any]:
    return {"service_error_code": code, "service_message": "request id 0123", "http_status_code": status}


@pytest.mark.parametrize(
    ("operation", "call", "expected"),
    [
        (
            "create_invalidation",
            lambda d: d.invalidate(PATHS, "a"),
            (
                "cloudfront:CreateInvalidation on distribution E1ABCDEF is denied. Allow the operator "
                "cloudfront:CreateInvalidation on it; until then copies live for their max-age."
            ),
        ),
        (
            "get_invalidation",
            lambda d: d.completed("I1"),
            (
                "cloudfront:GetInvalidation on distribution E1ABCDEF is denied. Allow the operator "
                "cloudfront:GetInvalidation on it; until then changes that follow one another quickly are not gathered."
            ),
        ),
        (
            "get_distribution",
            lambda d: d.check(),
            (
                "cloudfront:GetDistribution on distribution E1ABCDEF is denied. Allow the operator "
                "cloudfront:GetDistribution on it; until then a wrong distributionID is not noticed here."
            ),
        ),
    ],
)
async def test_a_missing_right_is_a_warning_that_names_it(
    make: Make, operation: str, call: Callable[[Distribution], Any], expected: str
) -> None:
    """AccessDenied: the permission, and what is lost without it; no request id."""
    distribution = make("E1ABCDEF")
    with Stubber(distribution._client) as stub:
        stub.add_client_error(operation, **_refused("AccessDenied", 403))
        with pytest.raises(StoreError) as caught:
            await call(distribution)
    finding = caught.value.finding()
    assert (finding.reason, finding.severity, finding.unknown) == (Reason.InvalidationDenied, Severity.WARNING, False)
    assert finding.sentence == expected
    assert not caught.value.retryable


async def test_an_explicit_deny_is_not_answered_with_an_allow(make: Make) -> None:
    """The policy that denies is named."""
    distribution = make("E1ABCDEF")
    text = "User: x is not authorized to perform: cloudfront:CreateInvalidation with an explicit deny in an identity-based policy"
    with Stubber(distribution._client) as stub:
        stub.add_client_error("create_invalidation", **_refused("AccessDenied", 403) | {"service_message": text})
        with pytest.raises(StoreError) as caught:
            await distribution.invalidate(PATHS, "a")
    assert caught.value.message.endswith("E1ABCDEF is denied explicitly by an identity-based policy")
    assert caught.value.hint == (
        "No allow mends an explicit deny: look for it in the policies of the role; until then copies live for their max-age."
    )


@pytest.mark.parametrize("config", [{}, {"Origins": {}}, {"Origins": {"Quantity": 0}}, {"Origins": {"Items": []}}])
async def test_a_distribution_without_origins_is_a_mismatch(
    make: Make, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    """Some that speak CloudFront's API leave the list out where it is empty."""
    distribution = make("E1ABCDEF")
    answer = {"Distribution": {"DistributionConfig": config}}
    monkeypatch.setattr(distribution._client, "get_distribution", lambda **_: answer)
    with pytest.raises(StoreError) as caught:
        await distribution.check()
    assert caught.value.reason is Reason.DistributionMismatch
    assert caught.value.message == f"Distribution E1ABCDEF has no origin, so it does not serve the bucket {BUCKET}"


@pytest.mark.parametrize(
    ("code", "status", "what", "retryable"),
    [
        ("TooManyInvalidationsInProgress", 400, "too many invalidations are in progress", True),
        ("Throttling", 400, "CloudFront answers Throttling (400)", True),
        ("ServiceUnavailable", 503, "CloudFront answers ServiceUnavailable (503)", True),
        ("InvalidArgument", 400, "CloudFront answers InvalidArgument (400)", False),
    ],
)
async def test_a_limit_passes_by_itself(make: Make, code: str, status: int, what: str, *, retryable: bool) -> None:
    """The limits are worth another try, and a call that CloudFront does not understand is not."""
    distribution = make("E1ABCDEF")
    with Stubber(distribution._client) as stub:
        stub.add_client_error("create_invalidation", **_refused(code, status))
        with pytest.raises(StoreError) as caught:
            await distribution.invalidate(PATHS, "a")
    assert (caught.value.reason, caught.value.retryable) == (Reason.InvalidationDenied, retryable)
    assert f": {what}" in caught.value.finding().message


async def test_the_request_id_goes_to_the_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """What differs from call to call is for the log alone."""
    caplog.set_level(logging.INFO, "oidc_publisher.stores")
    distribution = make("E1ABCDEF")
    with Stubber(distribution._client) as stub:
        stub.add_client_error("create_invalidation", **_refused("AccessDenied", 403))
        with pytest.raises(StoreError):
            await distribution.invalidate(PATHS, "a")
    assert "request id 0123" in caplog.text


async def test_an_unreachable_api_is_a_warning(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: what strangers read is not affected, so nothing becomes Unknown."""
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", url)
    with pytest.raises(StoreError) as caught:
        await make("E1ABCDEF").invalidate(PATHS, "a")
    finding = caught.value.finding()
    assert (finding.reason, finding.unknown, caught.value.retryable) == (Reason.InvalidationDenied, False, True)
    assert f"{url} refuses connections" in finding.message


async def test_roots_that_cannot_be_read_are_a_warning_too(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_CA_BUNDLE of the operator: the port knows two reasons, and this is not a distribution that is wrong."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(StoreError) as caught:
        await make("E1ABCDEF").invalidate(PATHS, "a")
    assert (caught.value.reason, caught.value.retryable) == (Reason.InvalidationDenied, True)
    assert "missing.pem" in caught.value.message


async def test_no_credentials_is_a_warning_too() -> None:
    """The store says CredentialsMissing of its own calls; here it only keeps copies from being dropped."""
    distribution = CloudFrontDistribution("E1ABCDEF", BUCKET, ENDPOINT, CloudFrontClients(S3Clients()))
    with pytest.raises(StoreError) as caught:
        await distribution.invalidate(PATHS, "a")
    assert "the operator has no credentials" in caught.value.message


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-central-1", "https://cloudfront.amazonaws.com"),
        ("cn-north-1", "https://cloudfront.cn-northwest-1.amazonaws.com.cn"),
        ("garage", "https://cloudfront.amazonaws.com"),
    ],
)
def test_the_endpoint_is_the_partitions(make: Make, region: str, url: str) -> None:
    """Found from the bucket's region; a region that only another S3 server knows leads to the common partition."""
    assert make("E1ABCDEF", endpoint=S3Endpoint(region))._client.meta.endpoint_url == url


@pytest.mark.parametrize(("region", "signed"), [("eu-central-1", "us-east-1"), ("cn-north-1", "cn-northwest-1")])
async def test_a_call_is_signed_for_the_partitions_one_region(make: Make, region: str, signed: str) -> None:
    """CloudFront refuses every other region in a signature, the bucket's too."""
    distribution = make("E1ABCDEF", endpoint=S3Endpoint(region))
    seen: list[str] = []

    def stop(request: Any, **_: object) -> None:
        seen.append(request.headers["Authorization"].decode())
        raise OSError("not sent")

    distribution._client.meta.events.register_first("before-send.cloudfront", stop)
    with pytest.raises(StoreError):
        await distribution.check()
    assert f"/{signed}/cloudfront/aws4_request" in seen[0]


@pytest.mark.usefixtures("credentials")
def test_new_credentials_of_the_stores_are_used_here_too() -> None:
    """A client lives as long as the session of the stores."""
    stores = S3Clients()
    clients = CloudFrontClients(stores)
    first = clients.get(REGION)
    assert clients.get(REGION) is first
    stores._session = None
    assert clients.get(REGION) is not first
