"""Whose memory an allocation is, by the files that lie above it."""

from __future__ import annotations

import pytest

from hack.benchmark.memory import _rows
from hack.benchmark.memorydriver import owner_of

OURS, LIBRARIES = "/w/operator/oidc_publisher/", "/v/lib/python3.11/site-packages/"


@pytest.mark.parametrize(
    ("frames", "owner"),
    [
        (
            [f"{OURS}reconcile/read.py", f"{OURS}stores/s3/clients.py", f"{LIBRARIES}botocore/client.py"],
            "ours: stores/s3",
        ),
        ([f"{OURS}controller/operator.py", "/usr/lib/python3.11/asyncio/tasks.py"], "ours: controller"),
        ([f"{OURS}process.py"], "ours: process"),
        ([f"{LIBRARIES}kopf/_core/queueing.py", "/usr/lib/python3.11/asyncio/queues.py"], "kopf"),
        ([f"{LIBRARIES}six.py"], "six"),
        ([f"{OURS}stores/s3/clients.py", "<frozen importlib._bootstrap>", f"{LIBRARIES}boto3/session.py"], "imports"),
        (["<frozen importlib._bootstrap>", f"{OURS}api/spec.py", f"{LIBRARIES}pydantic/main.py"], "ours: api"),
        (["/usr/lib/python3.11/asyncio/events.py"], "Python"),
    ],
)
def test_the_innermost_of_ours_holds_it(frames: list[str], owner: str) -> None:
    """What a library allocates for us is ours; what is made while a module is imported belongs to the imports."""
    assert owner_of(frames) == owner


def test_the_rows_hold_every_byte() -> None:
    """The small owners are one row, so that the columns still add up."""
    before = {"imports": 50 * 2**20, "ours: keys": 1000, "json": 10}
    after = {"imports": 50 * 2**20, "ours: keys": 2_001_000, "json": 20, "ours: api": 2**20}
    head, *rows = _rows(before, after, 1000)
    assert head == ("owner", "MiB", "kB per issuer")
    assert [row[0] for row in rows] == ["ours: keys", "ours: api", "imports", "1 others"]
    assert sum(float(row[1]) for row in rows) == pytest.approx(sum(after.values()) / 2**20, abs=0.02)
