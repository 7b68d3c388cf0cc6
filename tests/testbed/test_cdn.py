"""The CDN of the tests: edges that keep real copies, and the API that purges them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.testbed import nginx
from hack.testbed.cache import CannotBuildError
from tests.support.cdn import CDN
from tests.support.pki import PKI
from tests.support.s3server import S3Server

PATH = "/prod/keys"
AGE_S = 2


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    """A bucket that everybody may read."""
    s3.create_bucket("behind-a-cdn")
    s3.allow_anonymous_read("behind-a-cdn")
    return "behind-a-cdn"


@pytest.fixture(scope="module")
def cdn(tmp_path_factory: pytest.TempPathFactory, s3: S3Server, pki: PKI, bucket: str) -> Iterator[CDN]:
    """Two edges before the bucket."""
    running = CDN(tmp_path_factory.mktemp("cdn"), pki)
    running.start(s3.endpoint_url, f"/{bucket}")
    yield running
    running.stop()


def put(s3: S3Server, bucket: str, body: bytes) -> None:
    s3.put(bucket, PATH.removeprefix("/"), body, CacheControl=f"public, max-age={AGE_S}", ContentType="text/plain")


def test_an_edge_keeps_its_copy_for_the_max_age_and_no_longer(cdn: CDN, s3: S3Server, bucket: str) -> None:
    """Real staleness: the old bytes until the age has passed, the new ones afterwards."""
    put(s3, bucket, b"old")
    cdn.warm(PATH)
    put(s3, bucket, b"new")
    hit = cdn.ask(0, PATH)
    assert (hit.body, hit.cache) == (b"old", "HIT")
    time.sleep(AGE_S + 1)
    assert cdn.ask(0, PATH).body == b"new"


def test_edges_are_purged_one_by_one(cdn: CDN, s3: S3Server, bucket: str) -> None:
    """After a purge of one edge the two disagree, each time the other's copy is asked for."""
    put(s3, bucket, b"first")
    cdn.warm(PATH)
    put(s3, bucket, b"second")
    cdn.purge(0, (PATH,))
    assert [cdn.ask(edge, PATH).body for edge in (0, 1)] == [b"second", b"first"]


def test_a_refusal_is_kept_only_shortly(cdn: CDN, s3: S3Server, bucket: str) -> None:
    """A 403 of the bucket is a copy too, as at CloudFront."""
    assert cdn.ask(0, "/prod/none").status in (403, 404)
    s3.put(bucket, "prod/none", b"here", CacheControl="max-age=1")
    assert cdn.ask(0, "/prod/none").status in (403, 404)
    time.sleep(2.2)
    assert cdn.ask(0, "/prod/none").status == 200


def test_a_machine_that_cannot_fetch_nginx_says_what_would_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither nginx nor Debian's tools: one sentence, with the cure."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CannotBuildError, match=r"so is apt-get and dpkg-deb to fetch it: install nginx"):
        nginx.unpack()
