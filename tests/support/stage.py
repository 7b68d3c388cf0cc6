"""Run the whole stage: API servers, an S3 server that is also the public endpoint, the operator, and one issuer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.support.controlplane import ControlPlane, ServerConfig
from tests.support.edge import Edge
from tests.support.operatorprocess import OperatorProcess
from tests.support.pki import PKI
from tests.support.s3server import S3Server
from tests.support.signingkeys import SigningKey, signing_key

CRDS = Path(__file__).resolve().parents[2] / "crds"
BUCKET, PREFIX = "example-oidc", "prod"
PROBE = ("default", "probe")
#: The API servers of the session's own control plane may be running at the same addresses.
STAGE_PORT = 7443

Object = dict[str, Any]


class Stage:
    """Two API servers whose issuer is `issuer_url`, a bucket behind an edge, and the operator as a child process.

    Every part is real. The operator writes to the S3 server through the edge, so that its writes can be counted and
    made to fail, and reads the issuer there like any relying party.
    """

    def __init__(
        self,
        folder: Path,
        *,
        servers: int = 2,
        key: SigningKey | None = None,
        loopback: bool = False,
        port: int = STAGE_PORT,
    ) -> None:
        self.folder = folder
        self.pki = PKI(folder / "pki")
        self.key = key or signing_key("RSA-2048", "first")
        self.s3 = S3Server(folder / "s3", self.pki)
        self._servers = servers
        self._loopback = loopback
        self._port = port

    def __enter__(self) -> Self:
        """Start everything but the operator."""
        self.s3.start()
        self.edge = Edge(self.s3.endpoint_url, self.pki)
        self.edge.start()
        self.s3.create_bucket(BUCKET)
        self.s3.allow_anonymous_read(BUCKET)
        self.cluster = self.make_cluster()
        self.cluster.start()
        self.cluster.create_service_account(*PROBE)
        self.operator = self.make_operator()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything that was started."""
        for part in ("operator", "cluster", "edge"):
            if hasattr(self, part):
                getattr(self, part).kill() if part == "operator" else getattr(self, part).stop()
        self.s3.stop()

    def make_cluster(self) -> ControlPlane:
        """The API servers, not yet started."""
        return ControlPlane(
            self.folder / "cluster",
            self.pki,
            [self.config()] * self._servers,
            loopback=self._loopback,
            port=self._port,
        )

    @property
    def issuer_url(self) -> str:
        """The public URL of the issuer."""
        return self.edge.public_url(BUCKET, PREFIX)

    @property
    def operator_environment(self) -> dict[str, str]:
        """What the operator finds in its environment: the credentials of its store."""
        return self.s3.credentials

    def config(self, key: SigningKey | None = None, *listed: SigningKey, issuer: str | None = None) -> ServerConfig:
        """An API server of this issuer that signs with `key` and lists it and `listed`."""
        signer = key or self.key
        return ServerConfig(
            signing_key=signer,
            key_files=tuple(k.public_pem for k in dict.fromkeys((signer, *listed))),
            issuers=(issuer or self.issuer_url,),
        )

    def make_operator(self, *arguments: str, name: str = "operator") -> OperatorProcess:
        """An operator for this stage, not yet started."""
        return OperatorProcess(
            self.folder,
            self.cluster.admin_kubeconfig(),
            f"--probe-service-account={'/'.join(PROBE)}",
            *arguments,
            env=self.operator_environment,
            name=name,
        )

    def apply_crd(self) -> None:
        """Install the CRD as the README says."""
        self.cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
        self.cluster.wait_established("oidcissuers.oidc-publisher.io")

    def issuer(self, name: str = "prod", **spec: Any) -> Object:
        """The manifest of an issuer with periods of seconds; `spec` replaces whole members."""
        ca = self.pki.ca_pem.decode()
        return {
            "apiVersion": "oidc-publisher.io/v1alpha1",
            "kind": "OIDCIssuer",
            "metadata": {"name": name},
            "spec": {
                "issuerURL": self.issuer_url,
                "interval": "2s",
                "cacheMaxAge": "2s",
                "rotation": {"prePublishPeriod": "5s", "maxTokenLifetime": "10s", "clockSkew": "1s"},
                "store": {"s3": self.s3_spec()},
                "probe": {
                    "timeout": "2s",
                    "audiences": ["sts.amazonaws.com"],
                    "relyingParties": ["Kubernetes"],
                    "allowPrivateAddress": True,
                    "certificateAuthority": ca,
                },
                **spec,
            },
        }

    def s3_spec(self, **changes: Any) -> Object:
        """spec.store.s3 of this stage."""
        return {
            "bucket": BUCKET,
            "region": "eu-central-1",
            "prefix": PREFIX,
            "endpointURL": self.edge.url,
            "addressingStyle": "Path",
            "certificateAuthority": self.pki.ca_pem.decode(),
            **changes,
        }

    def apply(self, issuer: Object) -> None:
        """Apply an issuer with kubectl, as an admin does."""
        self.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(issuer))

    def get(self, name: str = "prod") -> Object:
        """The issuer as the API server has it."""
        return self.cluster.get("oidc-publisher.io/v1alpha1", "OIDCIssuer", name)

    def conditions(self, name: str = "prod") -> dict[str, tuple[str, str]]:
        """Status and reason of each condition."""
        found = self.get(name).get("status", {}).get("conditions", [])
        return {c["type"]: (c["status"], c["reason"]) for c in found}

    def reasons(self, name: str = "prod") -> set[str]:
        """The reasons of all findings."""
        return {f["reason"] for f in self.get(name).get("status", {}).get("findings", [])}

    def wait(
        self, holds: Callable[[Object], object], *, what: str, timeout_s: float = 20.0, name: str = "prod"
    ) -> Object:
        """Wait until the status satisfies `holds`, and return the object; the failure shows what it was instead."""
        end = time.monotonic() + timeout_s
        seen: Object = {}
        while time.monotonic() < end:
            seen = self.get(name)
            if holds(seen.get("status", {})):
                return seen
            time.sleep(0.05)
        tail = self.operator.log()[-3000:] if self.operator else ""
        raise AssertionError(f"not within {timeout_s:g} s: {what}\n{yaml.safe_dump(seen.get('status'))}\n{tail}")

    def wait_ready(self, *, timeout_s: float = 20.0, name: str = "prod") -> Object:
        """Wait for Ready=True of the present generation."""
        generation = self.get(name)["metadata"]["generation"]
        return self.wait(
            lambda s: condition(s, "Ready") == "True" and s.get("observedGeneration") == generation,
            what="Ready",
            timeout_s=timeout_s,
            name=name,
        )

    def wait_for_reason(self, reason: str, *, timeout_s: float = 10.0, name: str = "prod") -> Object:
        """Wait until a finding names `reason`."""
        return self.wait(lambda s: reason in reasons(s), what=reason, timeout_s=timeout_s, name=name)


def condition(status: Object, kind: str) -> str | None:
    """The status of one condition, None without it."""
    return next((str(c["status"]) for c in status.get("conditions", []) if c["type"] == kind), None)


def reasons(status: Object) -> set[str]:
    """The reasons of all findings of a status."""
    return {str(f["reason"]) for f in status.get("findings", [])}
