"""The real parts: two API servers that write audit logs, S3 that is also the public face, the operator."""

from __future__ import annotations

import dataclasses
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hack.benchmark.audit import AuditLogs
from tests.support.controlplane import ControlPlane, ServerConfig
from tests.support.operatorprocess import OperatorProcess
from tests.support.pki import PKI
from tests.support.processes import wait_for
from tests.support.s3server import REGION, S3Server
from tests.support.signingkeys import signing_key

ROOT = Path(__file__).resolve().parents[2]
API_VERSION, KIND = "oidc-publisher.io/v1alpha1", "OIDCIssuer"
BUCKET, PREFIX = "example-oidc", "prod"
PROBE = ("default", "probe")
SERVERS = 2
_SIGNED = re.compile(r"^\S+ \S+ \[[^\]]*\] \S+ (?P<requester>\S+) \S+ (?:s3_)?(?P<operation>\S+) ")
Object = dict[str, Any]


class Parts:
    """Everything but the operator, started once for all measurements.

    No edge stands before S3, as it does in the tests: it would be measured too. The API servers sign for one issuer URL,
    so issuers follow one another in one place, and each of them finds it empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = PKI(folder / "pki")
        self.s3 = S3Server(folder / "s3", self.pki)
        self.audit = AuditLogs([folder / f"audit-{index}.jsonl" for index in range(SERVERS)])
        self._store_log = folder / "s3" / "access.log"
        self._store_log_read = 0
        self._operators = 0
        self.program: Path | None = None

    def __enter__(self) -> Self:
        self.s3.start()
        self.s3.create_bucket(BUCKET)
        self.s3.allow_anonymous_read(BUCKET)
        key = signing_key("RSA-2048", "bench")
        config = ServerConfig(key, issuers=(self.s3.public_url(BUCKET, PREFIX),))
        configs = [dataclasses.replace(config, extra_flags=flags) for flags in self.audit.flags]
        self.cluster = ControlPlane(self.folder / "cluster", self.pki, configs)
        self.cluster.start()
        self.cluster.create_service_account(*PROBE)
        self.cluster.apply(ROOT / "crds" / "oidc-publisher.io_oidcissuers.yaml")
        self.cluster.wait_established("oidcissuers.oidc-publisher.io")
        wait_for(self._issuers_are_served, timeout_s=10, what="every API server lists OIDCIssuers")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(self, "cluster"):
            self.cluster.stop()
        self.s3.stop()

    def operator(
        self, *arguments: str, driver: Path | None = None, env: dict[str, str] | None = None
    ) -> OperatorProcess:
        """An operator that has not been started: this checkout's, or that of `program` where one is set.

        `arguments` are further ones of `run`. `driver` is a script that runs this checkout's in its own process.
        """
        self._operators += 1
        operator = OperatorProcess(
            self.folder,
            self.cluster.admin_kubeconfig(),
            f"--probe-service-account={'/'.join(PROBE)}",
            *arguments,
            env=self.s3.credentials | (env or {}),
            name=f"operator-{self._operators}",
        )
        if self.program is not None:
            operator.process.argv[0] = str(self.program)
        if driver is not None:
            operator.process.argv[:1] = [sys.executable, str(driver)]
        return operator

    def issuer(self, name: str, *, interval: str = "60s") -> Object:
        """An issuer whose periods are over within seconds, so that it comes to rest."""
        ca = self.pki.ca_pem.decode()
        s3 = {
            "bucket": BUCKET,
            "region": REGION,
            "prefix": PREFIX,
            "endpointURL": self.s3.endpoint_url,
            "addressingStyle": "Path",
            "certificateAuthority": ca,
        }
        probe = {
            "timeout": "5s",
            "audiences": ["sts.amazonaws.com"],
            "relyingParties": ["Kubernetes"],
            "allowPrivateAddress": True,
            "certificateAuthority": ca,
        }
        spec = {
            "issuerURL": self.s3.public_url(BUCKET, PREFIX),
            "interval": interval,
            "cacheMaxAge": "2s",
            "rotation": {"prePublishPeriod": "5s", "maxTokenLifetime": "10s", "clockSkew": "1s"},
            "store": {"s3": s3},
            "probe": probe,
        }
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}

    def create(self, issuer: Object) -> float:
        """Create an issuer and return the monotonic time of the API server's answer."""
        self.cluster.create(issuer)
        return time.monotonic()

    def clear(self) -> None:
        """Delete every issuer and every document."""
        for item in self.cluster.list_all(API_VERSION, KIND):
            self.cluster.delete(API_VERSION, KIND, item["metadata"]["name"])
        for key in self.s3.keys(BUCKET):
            self.s3.delete(BUCKET, key)

    def _issuers_are_served(self) -> bool:
        path = f"/apis/{API_VERSION}/oidcissuers"  # discovery, which path_of asks, may not name them yet
        servers = range(len(self.cluster.servers))
        return all(self.cluster.request("GET", path, index=index).status == HTTPStatus.OK for index in servers)

    @contextmanager
    def kept_connections(self) -> Iterator[None]:
        """An S3 server that keeps connections open after an answer, as Amazon's does and this one by itself does not."""
        argv = self.s3.process.argv
        self.s3.process.argv = [argv[0], "--keep-alive", *argv[1:]]
        self.s3.restart()
        try:
            yield
        finally:
            self.s3.process.argv = argv
            self.s3.restart()

    def forget_store_calls(self) -> None:
        """Begin to count anew."""
        self._store_log_read = self._store_log.stat().st_size

    def store_calls(self) -> tuple[Counter[str], Counter[str]]:
        """Requests since `forget_store_calls()` by S3 operation: those with credentials, and those of strangers."""
        signed: Counter[str] = Counter()
        strangers: Counter[str] = Counter()
        text = self._store_log.read_bytes()[self._store_log_read :].decode()
        for line in text.splitlines():
            if found := _SIGNED.match(line):
                (strangers if found["requester"] in ("-", "anonymous") else signed)[found["operation"]] += 1
        return signed, strangers
