"""Session fixtures: each real server is started once, when the first test asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.edge import Edge
from tests.support.gcsserver import GCSServer
from tests.support.motoserver import MotoServer
from tests.support.pki import PKI
from tests.support.processes import HTTPS_PORT
from tests.support.s3server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> PKI:
    """Return the one certificate authority of the run."""
    return PKI(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory, pki: PKI) -> Iterator[ControlPlane]:
    """Run etcd and two API servers; a test that reconfigures them does so within `control_plane.restored()`."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), pki) as running:
        yield running


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory, pki: PKI) -> Iterator[S3Server]:
    """Run one S3 server; every test makes its own bucket."""
    with S3Server(tmp_path_factory.mktemp("s3"), pki) as running:
        yield running


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    """Run one moto server; every test makes its own bucket, distribution and role."""
    with MotoServer(tmp_path_factory.mktemp("moto")) as running:
        yield running


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory, pki: PKI) -> Iterator[GCSServer]:
    """Run one server that speaks Cloud Storage's API; every test makes its own bucket."""
    with GCSServer(tmp_path_factory.mktemp("gcs"), pki) as running:
        yield running


@pytest.fixture
def edge(s3: S3Server, pki: PKI) -> Iterator[Edge]:
    """Run an edge before the S3 server that behaves well until told otherwise, for one test.

    It listens on port 443: AWS accepts no issuer URL with a port.
    """
    with Edge(s3.endpoint_url, pki, port=HTTPS_PORT) as running:
        yield running
