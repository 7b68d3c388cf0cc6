"""Session fixtures: each real server is started once, when the first test asks for it.

Each imports its server itself: what they import takes a second, which every process would pay, also the one that only
hands out the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.controlplane import ControlPlane
    from tests.support.edge import Edge
    from tests.support.gcsserver import GCSServer
    from tests.support.motoserver import MotoServer
    from tests.support.pki import PKI
    from tests.support.s3server import S3Server


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> PKI:
    """Return the one certificate authority of the run."""
    from tests.support.pki import PKI  # noqa: PLC0415 - as above

    return PKI(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory, pki: PKI) -> Iterator[ControlPlane]:
    """Run etcd and two API servers; a test that reconfigures them does so within `control_plane.restored()`."""
    from tests.support.controlplane import ControlPlane  # noqa: PLC0415 - as above

    with ControlPlane(tmp_path_factory.mktemp("control-plane"), pki) as running:
        yield running


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory, pki: PKI) -> Iterator[S3Server]:
    """Run one S3 server; every test makes its own bucket."""
    from tests.support.s3server import S3Server  # noqa: PLC0415 - as above

    with S3Server(tmp_path_factory.mktemp("s3"), pki) as running:
        yield running


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    """Run one moto server; every test makes its own bucket, distribution and role."""
    from tests.support.motoserver import MotoServer  # noqa: PLC0415 - as above

    with MotoServer(tmp_path_factory.mktemp("moto")) as running:
        yield running


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory, pki: PKI) -> Iterator[GCSServer]:
    """Run one server that speaks Cloud Storage's API; every test makes its own bucket."""
    from tests.support.gcsserver import GCSServer  # noqa: PLC0415 - as above

    with GCSServer(tmp_path_factory.mktemp("gcs"), pki) as running:
        yield running


@pytest.fixture
def edge(s3: S3Server, pki: PKI) -> Iterator[Edge]:
    """Run an edge before the S3 server that behaves well until told otherwise, for one test.

    It listens on port 443: AWS accepts no issuer URL with a port.
    """
    from tests.support.edge import Edge  # noqa: PLC0415 - as above
    from tests.support.processes import HTTPS_PORT  # noqa: PLC0415 - as above

    with Edge(s3.endpoint_url, pki, port=HTTPS_PORT) as running:
        yield running
