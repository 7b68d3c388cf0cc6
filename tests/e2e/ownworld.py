"""The world on a node of our own: everything lives in the namespaces of the test run."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.cluster import Cluster
from tests.e2e.world import Fetched, World
from tests.support.apiserver import ServerConfig
from tests.support.namespace import NODE_ADDRESS
from tests.support.node.node import NodeCluster
from tests.support.pki import PKI
from tests.support.processes import HTTPS_PORT
from tests.support.s3server import REGION, S3Server
from tests.support.signingkeys import signing_key

HOST = "s3.e2e.test"
BUCKET, PREFIX = "oidc-e2e", "prod"
ISSUER_URL = f"https://{HOST}/{BUCKET}/{PREFIX}"


class OwnStore:
    """versitygw at the node's address, under a name that the pods' DNS knows."""

    endpoint_url = f"https://{HOST}"
    bucket = BUCKET
    region = REGION
    curl_settings = f'resolve = "{HOST}:{HTTPS_PORT}:{NODE_ADDRESS}"\n'

    def __init__(self, folder: Path, pki: PKI) -> None:
        self.server = S3Server(folder / "s3", pki, port=HTTPS_PORT, address=NODE_ADDRESS, host=HOST)
        self.ca_pem = pki.ca_pem.decode()
        self.credentials = self.server.credentials
        self._tls = pki.client_context()

    def start(self) -> None:
        """Start it, with a bucket that everybody may read."""
        self.server.start()
        self.server.create_bucket(BUCKET)
        self.server.allow_anonymous_read(BUCKET)

    def fetch(self, path: str) -> Fetched:
        """Fetch a path of the issuer's URL."""
        with contextlib.closing(_Connection(HOST, NODE_ADDRESS, self._tls)) as connection:
            connection.request("GET", f"/{BUCKET}/{PREFIX}{path}")
            answer = connection.getresponse()
            return Fetched(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())

    def empty(self) -> None:
        """Delete every object."""
        for name in self.object_names():
            self.server.delete(BUCKET, name)

    def object_names(self) -> list[str]:
        """The keys of all objects."""
        return self.server.keys(BUCKET)


class OwnKeys:
    """The key files of our API servers, which are restarted one after the other."""

    def __init__(self, cluster: NodeCluster) -> None:
        self.plane = cluster.control_plane
        self._old = self.plane.configs[0].signing_key
        self._new = signing_key("P-256", "e2e-next")

    def add(self) -> str:
        """Put the next key beside the present one."""
        self._restart(self._old, self._new)
        return self._new.kid

    def sign(self) -> None:
        """Let every API server sign with the next key."""
        self._restart(self._new, self._old)

    def _restart(self, signer: Any, other: Any) -> None:
        for index, config in enumerate(list(self.plane.configs)):
            changed = dataclasses.replace(config, signing_key=signer, key_files=(signer.public_pem, other.public_pem))
            self.plane.restart(index, changed)


@contextlib.contextmanager
def own_world(folder: Path, archive: Path, image: str) -> Iterator[World]:
    """Bring up the node and the store, and take all down at the end."""
    pki = PKI(folder / "pki")
    store = OwnStore(folder, pki)
    config = ServerConfig(signing_key("RSA-2048", "e2e-first"), issuers=(ISSUER_URL,))
    node = NodeCluster(folder, pki, [config, config], hosts={HOST: NODE_ADDRESS}, archives=[archive])
    store.start()
    try:
        with node:
            cluster = Cluster(node.control_plane.admin_kubeconfig(index=1))  # the kubelet asks the other one
            yield World(cluster, store, ISSUER_URL, PREFIX, folder, image, OwnKeys(node))
    finally:
        store.server.stop()


class _Connection(http.client.HTTPSConnection):
    """Connects to an address and asks for a name, which no resolver of this process knows."""

    def __init__(self, host: str, address: str, tls: ssl.SSLContext) -> None:
        super().__init__(host, timeout=5, context=tls)
        self._address, self._checks = address, tls

    def connect(self) -> None:
        """Open the connection."""
        opened = socket.create_connection((self._address, urlsplit(f"https://{self.host}").port or HTTPS_PORT), 5)
        self.sock = self._checks.wrap_socket(opened, server_hostname=self.host)
