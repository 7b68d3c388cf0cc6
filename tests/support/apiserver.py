"""Run one kube-apiserver process with its flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import binaries
from tests.support.processes import Process
from tests.support.signingkeys import SigningKey, signing_key

if TYPE_CHECKING:
    from tests.support.pki import Certificate

DEFAULT_ISSUER = "https://oidc.example.test/prod"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What differs between API servers and between restarts of one; change it by `dataclasses.replace`."""

    signing_key: SigningKey
    key_files: tuple[bytes, ...] | None = None  # public PEMs, one file each; None: the signing key's public half
    issuers: tuple[str, ...] = (DEFAULT_ISSUER,)  # the first one signs
    extra_flags: tuple[str, ...] = ()
    signing_endpoint: Path | None = None  # the socket of an external signer, in place of all key files
    account_flags: tuple[str, ...] | None = (
        None  # all --service-account flags, as a manifest has them; None: made of these
    )

    @classmethod
    def default(cls) -> ServerConfig:
        """Return the configuration a control plane starts with: one P-256 key."""
        return cls(signing_key("P-256", "control-plane"))

    def verification_keys(self) -> tuple[bytes, ...]:
        """Return the public PEMs the server verifies tokens with and lists in its JWKS."""
        return (self.signing_key.public_pem,) if self.key_files is None else self.key_files


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """What all API servers of one cluster share."""

    etcd_url: str
    token_file: Path
    client_ca_file: Path
    certificate: Certificate


class ApiServer:
    """A kube-apiserver at a fixed address, started again and again with different keys."""

    def __init__(self, folder: Path, address: str, port: int, cluster: ClusterFiles) -> None:
        self.folder = folder
        self.address = address
        self.port = port
        self.cluster = cluster
        self.process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.running

    @property
    def host_port(self) -> str:
        """HOST:PORT, as an OIDCIssuer's `apiServer.addresses` wants it."""
        return f"{self.address}:{self.port}"

    def start(self, config: ServerConfig) -> Process:
        """Write the keys and start the process; it is not ready yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        argv: list[str | Path] = [
            binaries.find("kube-apiserver"),
            *self._cluster_flags(),
            *self._key_flags(config),
            *config.extra_flags,
        ]
        self.process = Process(self.folder.name, argv, self.folder / "log")
        self.process.start()
        return self.process

    def kill(self) -> None:
        """SIGKILL, because SIGTERM with open watches takes 60 s; returns when the port is free."""
        if self.process is not None:
            self.process.kill()

    def _cluster_flags(self) -> list[str]:
        # Loopback is refused in EndpointSlices; without a reconciler the server does not try to write one.
        reconciler = "none" if self.address.startswith("127.") else "lease"
        return [
            f"--etcd-servers={self.cluster.etcd_url}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            f"--secure-port={self.port}",
            f"--endpoint-reconciler-type={reconciler}",
            f"--cert-dir={self.folder / 'certs'}",
            f"--tls-cert-file={self.cluster.certificate.chain_file}",
            f"--tls-private-key-file={self.cluster.certificate.key_file}",
            f"--client-ca-file={self.cluster.client_ca_file}",
            f"--token-auth-file={self.cluster.token_file}",
            "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--profiling=false",
        ]

    def _key_flags(self, config: ServerConfig) -> list[str]:
        if config.account_flags is not None:
            return list(config.account_flags)
        issuers = [f"--service-account-issuer={issuer}" for issuer in config.issuers]
        if config.signing_endpoint is not None:
            return [*issuers, f"--service-account-signing-endpoint={config.signing_endpoint}"]
        signing_file = self.folder / "signing.key"
        signing_file.write_bytes(config.signing_key.private_pem)
        signing_file.chmod(0o600)
        flags = [*issuers, f"--service-account-signing-key-file={signing_file}"]
        for number, pem in enumerate(config.verification_keys()):
            path = self.folder / f"verify-{number}.pub"
            path.write_bytes(pem)
            flags.append(f"--service-account-key-file={path}")
        return flags
