"""The world on a cluster that somebody else runs, such as one of kind: the store is a pod of it.

The tests reach it by a forwarded port. Its two images have to be on the nodes (hack/e2e says how that is done).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from tests.e2e.cluster import Cluster
from tests.e2e.world import Fetched, World
from tests.support import binaries
from tests.support.node.images import STORE_IMAGE
from tests.support.pki import PKI
from tests.support.processes import Process, accepts_connections, free_port
from tests.support.s3server import REGION, client_config, everybody_reads

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from tests.e2e.cluster import Object

NAMESPACE, NAME = "oidc-e2e", "store"
HOST = f"{NAME}.{NAMESPACE}.svc.cluster.local"
BUCKET, PREFIX = "oidc-e2e", "prod"
#: hack/kind.yaml gives the same to the API server.
ISSUER_URL = f"https://{HOST}/{BUCKET}/{PREFIX}"
_PORT = 7443


class PodStore:
    """versitygw as a pod behind a Service."""

    endpoint_url = f"https://{HOST}"
    bucket = BUCKET
    region = REGION

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pki = PKI(folder / "pki")
        self._certificate = self._pki.serving(HOST, "localhost", "127.0.0.1")
        self._port = free_port()
        self.ca_pem = self._pki.ca_pem.decode()
        self.credentials = {
            "AWS_ACCESS_KEY_ID": f"root{secrets.token_hex(6)}",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }
        self.curl_settings = f'connect-to = "{HOST}:443:127.0.0.1:{self._port}"\n'
        kubeconfig = f"--kubeconfig={cluster.kubeconfig}"
        argv: list[str | Path] = [
            binaries.find("kubectl"),
            kubeconfig,
            "-n",
            NAMESPACE,
            "port-forward",
            f"svc/{NAME}",
            f"{self._port}:443",
        ]
        self._forward = Process("port-forward", argv, folder / "port-forward.log")
        self._s3: S3Client | None = None

    def start(self) -> None:
        """Start it, with a bucket that everybody may read."""
        self._cluster.apply(*self._objects())
        self._cluster.kubectl(
            "-n", NAMESPACE, "rollout", "status", f"deployment/{NAME}", "--timeout=120s", timeout_s=130
        )
        self._forward.start()
        self._forward.wait_until(lambda: accepts_connections("127.0.0.1", self._port))
        self._client().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        policy = {"Version": "2012-10-17", "Statement": [everybody_reads(BUCKET, "")]}
        self._client().put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))

    def stop(self) -> None:
        """Remove it from the cluster, with its namespace."""
        self._forward.kill()
        self._cluster.try_kubectl("delete", "namespace", NAMESPACE, "--wait=false")

    def fetch(self, path: str) -> Fetched:
        """Fetch a path of the issuer's URL."""
        with contextlib.closing(http.client.HTTPConnection(HOST)) as connection:
            opened = socket.create_connection(("127.0.0.1", self._port), 5)
            connection.sock = self._tls().wrap_socket(opened, server_hostname=HOST)
            connection.request("GET", f"/{BUCKET}/{PREFIX}{path}")
            answer = connection.getresponse()
            return Fetched(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())

    def empty(self) -> None:
        """Delete every object."""
        for name in self.object_names():
            self._client().delete_object(Bucket=BUCKET, Key=name)

    def object_names(self) -> list[str]:
        """The keys of all objects."""
        return sorted(item["Key"] for item in self._client().list_objects_v2(Bucket=BUCKET).get("Contents", []))

    def _tls(self) -> ssl.SSLContext:
        return self._pki.client_context()

    def _client(self) -> S3Client:
        if self._s3 is None:
            self._s3 = boto3.session.Session().client(
                "s3",
                endpoint_url=f"https://127.0.0.1:{self._port}",
                aws_access_key_id=self.credentials["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.credentials["AWS_SECRET_ACCESS_KEY"],
                region_name=REGION,
                verify=str(self._pki.ca_file),
                config=client_config(),
            )
        return self._s3

    def _objects(self) -> list[Object]:
        named = {"name": NAME, "namespace": NAMESPACE}
        files = {"tls.crt": self._certificate.chain_file, "tls.key": self._certificate.key_file}
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": named,
                "type": "kubernetes.io/tls",
                "data": {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": named,
                "spec": {"selector": {"app": NAME}, "ports": [{"port": 443, "targetPort": _PORT, "protocol": "TCP"}]},
            },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": named,
                "spec": {
                    "selector": {"matchLabels": {"app": NAME}},
                    "template": {"metadata": {"labels": {"app": NAME}}, "spec": self._pod()},
                },
            },
        ]

    def _pod(self) -> Object:
        arguments = [f"--port=:{_PORT}", "--cert=/tls/tls.crt", "--key=/tls/tls.key", f"--region={REGION}"]
        folders = {"tls": "/tls", "iam": "/iam", "objects": "/objects"}
        container = {
            "name": "versitygw",
            "image": STORE_IMAGE,
            "args": [*arguments, "--iam-dir=/iam", "--quiet", "posix", "/objects"],
            "env": [
                {"name": "ROOT_ACCESS_KEY", "value": self.credentials["AWS_ACCESS_KEY_ID"]},
                {"name": "ROOT_SECRET_KEY", "value": self.credentials["AWS_SECRET_ACCESS_KEY"]},
            ],
            "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
            "volumeMounts": [{"name": name, "mountPath": path} for name, path in folders.items()],
        }
        volumes: list[Object] = [{"name": name, "emptyDir": {}} for name in ("iam", "objects")]
        volumes.append({"name": "tls", "secret": {"secretName": NAME}})
        return {"terminationGracePeriodSeconds": 1, "containers": [container], "volumes": volumes}


@contextlib.contextmanager
def any_world(folder: Path, kubeconfig: Path, image: str) -> Iterator[World]:
    """Take the cluster as it is, bring the store, and take that away again."""
    cluster = Cluster(kubeconfig)
    store = PodStore(folder, cluster)
    try:
        store.start()
        yield World(cluster, store, ISSUER_URL, PREFIX, folder, image)
    finally:
        store.stop()
