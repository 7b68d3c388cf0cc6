"""The real parts on plain loopback: etcd, two kube-apiservers, an S3 server that is also the public face, the operator."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from hack.story.errors import StepFailedError
from tests.support import binaries
from tests.support.controlplane import ControlPlane, ServerConfig
from tests.support.operatorprocess import OperatorProcess
from tests.support.pki import PKI
from tests.support.processes import Process
from tests.support.s3server import REGION, S3Server
from tests.support.signerprocess import SignerProcess
from tests.support.signingkeys import SigningKey, signing_key

REPOSITORY: Final = Path(__file__).resolve().parents[2]
BUCKET: Final = "example-oidc"
PREFIX: Final = "prod"
ISSUER: Final = "prod"
AUDIENCE: Final = "sts.amazonaws.com"
ACCOUNT: Final = ("default", "probe")
JWKS_KEY: Final = f"{PREFIX}/openid/v1/jwks"
# Periods of seconds: a rotation that takes days in earnest is over in half a minute.
CACHE_MAX_AGE_S: Final = 2
PRE_PUBLISH_S: Final = 3
TOKEN_LIFETIME_S: Final = 5
CLOCK_SKEW_S: Final = 1

_KUBECTL_TIMEOUT_S = 90.0


class Parts:
    """Everything the demo starts, each part a process of its own, all files below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = PKI(folder / "pki")
        self.old_key = signing_key("RSA-2048", "old")
        self.new_key = signing_key("RSA-2048", "new")
        self.s3 = S3Server(folder / "s3", self.pki)
        self.issuer_url = self.s3.public_url(BUCKET, PREFIX)
        self.cluster = ControlPlane(folder / "cluster", self.pki, [self.config(self.old_key)] * 2, loopback=True)
        self.kubeconfig = folder / "kubeconfig"
        self.operator = self._make_operator()
        self.signers: list[SignerProcess] = []
        self._numbers = itertools.count(1)

    @property
    def crds(self) -> Path:
        """The folder of the CRD."""
        return REPOSITORY / "crds"

    @property
    def kubectl_folder(self) -> Path:
        """Where the testbed's kubectl is, which may not be on the PATH."""
        return binaries.find("kubectl").parent

    def start_s3(self) -> None:
        """Start the S3 server with a bucket that everybody may read."""
        self.s3.start()
        self.s3.create_bucket(BUCKET)
        self.s3.allow_anonymous_read(BUCKET)

    def stop(self) -> float:
        """End the operator as a node would, and the servers by force; return the seconds the operator took."""
        took_s = self.operator.stop()
        for signer in self.signers:
            signer.stop()
        self.cluster.stop()
        self.s3.stop()
        return took_s

    def config(self, signer: SigningKey, *listed: SigningKey) -> ServerConfig:
        """An API server that signs with `signer` and lists it and `listed` in its JWKS."""
        return ServerConfig(
            signing_key=signer, key_files=tuple(k.public_pem for k in (signer, *listed)), issuers=(self.issuer_url,)
        )

    def issuer(self) -> dict[str, Any]:
        """The OIDCIssuer of the demo."""
        authority = self.pki.ca_pem.decode()
        return {
            "apiVersion": "oidc-publisher.io/v1alpha1",
            "kind": "OIDCIssuer",
            "metadata": {"name": ISSUER},
            "spec": {
                "issuerURL": self.issuer_url,
                "keySources": [{"name": "api", "apiServer": {"addresses": self.cluster.addresses}}],
                "store": {
                    "s3": {
                        "bucket": BUCKET,
                        "region": REGION,
                        "prefix": PREFIX,
                        "endpointURL": self.s3.endpoint_url,
                        "addressingStyle": "Path",
                        "certificateAuthority": authority,
                    }
                },
                "interval": "1s",
                "cacheMaxAge": f"{CACHE_MAX_AGE_S}s",
                "rotation": {
                    "prePublishPeriod": f"{PRE_PUBLISH_S}s",
                    "maxTokenLifetime": f"{TOKEN_LIFETIME_S}s",
                    "clockSkew": f"{CLOCK_SKEW_S}s",
                },
                "probe": {
                    "audiences": [AUDIENCE],
                    "relyingParties": ["Kubernetes"],
                    "allowPrivateAddress": True,
                    "certificateAuthority": authority,
                },
            },
        }

    def status(self) -> dict[str, Any]:
        """The issuer's status as the API server has it."""
        found = self.cluster.get("oidc-publisher.io/v1alpha1", "OIDCIssuer", ISSUER)
        status: dict[str, Any] = found.get("status", {})
        return status

    def ring(self) -> dict[str, Any]:
        """The status of the SigningKeyRing as the API server has it."""
        found = self.cluster.get("oidc-publisher.io/v1alpha1", "SigningKeyRing", "default")
        status: dict[str, Any] = found.get("status", {})
        return status

    def condition(self, kind: str) -> dict[str, str]:
        """One condition of the issuer, empty before it exists."""
        found: list[dict[str, str]] = self.status().get("conditions", [])
        return next((one for one in found if one["type"] == kind), {})

    def kubectl(self, *arguments: str) -> str:
        """Run the real kubectl and return what it printed.

        Raises:
            StepFailedError: it ended with an error, or not in time.
        """
        return self._output(self._kubectl(*arguments))

    def publisher(self, *arguments: str) -> str:
        """Run a command of ours and return what it printed; raises StepFailedError as kubectl does."""
        program = Path(sys.executable).with_name("oidc-publisher")
        return self._output(self._process("oidc-publisher", program, *arguments))

    def _output(self, process: Process) -> str:
        process.start()
        end = time.monotonic() + _KUBECTL_TIMEOUT_S
        while process.running and time.monotonic() < end:
            time.sleep(0.01)
        if process.returncode != 0:
            process.kill()
            command = " ".join([process.name, *process.argv[1:]])
            raise StepFailedError(f"{command} failed.", process.log() + self.tails())
        return process.log()

    @contextlib.contextmanager
    def kubectl_watch(self, *arguments: str) -> Iterator[Lines]:
        """Run a kubectl that does not end by itself, for as long as the block lasts."""
        process = self._kubectl(*arguments)
        process.start()
        try:
            yield Lines(process)
        finally:
            process.kill()

    def shown(self, text: str) -> str:
        """A command with short paths, as a person in this checkout would type it."""
        return text.replace(str(self.folder), "$DEMO").replace(f"{REPOSITORY}/", "")

    def fallen(self) -> list[str]:
        """A sentence for each part that ended by itself."""
        watched = {"The operator": self.operator.process, "The S3 server": self.s3.process}
        return [f"{name} ended with code {p.returncode}." for name, p in watched.items() if p.returncode is not None]

    def tails(self, lines: int = 12) -> str:
        """What has ended, and the end of what the operator has said, for an error message."""
        return "\n".join(["", *self.fallen(), "The operator's last lines:", *self.operator.log().splitlines()[-lines:]])

    def write(self, name: str, text: str) -> Path:
        """Write a file for kubectl."""
        path = self.folder / name
        path.write_text(text)
        return path

    def write_issuer(self) -> Path:
        """Write the OIDCIssuer as YAML."""
        return self.write("issuer.yaml", yaml.dump(self.issuer(), Dumper=_Readable, sort_keys=False))

    def _kubectl(self, *arguments: str) -> Process:
        return self._process("kubectl", binaries.find("kubectl"), *arguments)

    def _process(self, name: str, program: Path, *arguments: str) -> Process:
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.folder / "kubectl-cache")}
        log = self.folder / "kubectl" / f"{next(self._numbers)}.log"
        return Process(name, [program, *arguments], log, env=env)

    def _make_operator(self) -> OperatorProcess:
        self.cluster.admin_kubeconfig(self.kubeconfig)
        return OperatorProcess(
            self.folder,
            self.kubeconfig,
            f"--probe-service-account={'/'.join(ACCOUNT)}",
            "--log-format=text",
            env=self.s3.credentials,
        )


class Lines:
    """What a running process prints, line by line."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def lines(self, *, timeout_s: float) -> Iterator[str]:
        """Yield each complete line as it comes, until the process has ended or the time is up."""
        seen, end, running = 0, time.monotonic() + timeout_s, True
        while running and time.monotonic() < end:
            running = self._process.running  # asked before the log is read, so that no last line is missed
            lines = self._process.log().rpartition("\n")[0].splitlines()
            yield from lines[seen:]
            seen = len(lines)
            time.sleep(0.02)


class _Readable(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as a person would."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _block)
