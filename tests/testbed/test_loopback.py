"""Servers that are told of as localhost listen on every address that localhost has, as Debian's /etc/hosts gives it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import loopback
from tests.support.cdn import CDN
from tests.support.edge import Edge
from tests.support.gcsserver import GCSServer
from tests.support.pki import PKI
from tests.support.processes import accepts_connections, free_port
from tests.support.s3server import S3Server

# Every Linux has all of 127.0.0.0/8, and so a second loopback address without IPv6.
TWO = ("127.0.0.1", "127.0.0.2")
NOBODYS = "192.0.2.1"  # RFC 5737


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give localhost a second address."""
    monkeypatch.setattr(socket, "getaddrinfo", resolving(*TWO))


def resolving(*addresses: str) -> Callable[..., list[Any]]:
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int | None, *rest: Any, **more: Any) -> list[Any]:
        names = addresses if host == "localhost" else (host,)
        return [info for name in names for info in real(name, port, *rest, **more)]

    return getaddrinfo


def test_an_address_that_is_not_ours_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """/etc/hosts may say ::1 where the kernel has no IPv6."""
    monkeypatch.setattr(socket, "getaddrinfo", resolving("127.0.0.2", NOBODYS, "127.0.0.2"))
    assert loopback.localhost_addresses() == TWO


def test_one_port_is_free_on_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken on the second address is none."""
    monkeypatch.setattr(socket, "getaddrinfo", resolving(*TWO))
    sockets = loopback.listen()
    port = sockets[0].getsockname()[1]
    assert [one.getsockname() for one in sockets] == [(address, port) for address in TWO]
    with pytest.raises(OSError, match="in use"):
        loopback.listen(port)
    loopback.close_all(sockets)
    assert port
    assert free_port()


@pytest.mark.live
@pytest.mark.usefixtures("two_addresses")
def test_every_server_listens_on_all_addresses(tmp_path: Path, pki: PKI) -> None:
    """S3, GCS, the edge and the CDN: whichever address a reader takes, somebody is there."""
    cdn = CDN(tmp_path / "cdn", pki)
    with (
        S3Server(tmp_path / "s3", pki) as s3,
        GCSServer(tmp_path / "gcs", pki) as gcs,
        Edge(s3.endpoint_url, pki) as edge,
    ):
        cdn.start(s3.endpoint_url, "/bucket")
        silent = [
            f"{type(server).__name__} at {address}"
            for server in (s3, gcs, edge, cdn)
            for address in TWO
            if not accepts_connections(address, server.port)
        ]
        cdn.stop()
    assert silent == []
