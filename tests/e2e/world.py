"""What every test here has: a cluster, a store with a public face, and one issuer's objects."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from tests.support.chart import CHART

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.cluster import Cluster, Object

NAMESPACE, RELEASE = "oidc-publisher", "prod"
AUDIENCE = "e2e.example.test"
DEPLOYMENT = f"{RELEASE}-oidc-publisher"


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of the public endpoint."""

    status: int
    headers: dict[str, str]
    body: bytes


class Store(Protocol):
    """An S3 bucket that pods write, and the world reads."""

    #: What OIDCIssuer.spec.store.s3 names.
    endpoint_url: str
    bucket: str
    region: str
    #: In PEM; of the store and of its public face.
    ca_pem: str
    #: Environment variables of whoever writes.
    credentials: dict[str, str]

    def fetch(self, path: str) -> Fetched:
        """Fetch a path of the issuer's URL anonymously, over TLS that is checked."""

    #: Lines of a .curlrc that let curl find the public face from here.
    curl_settings: str

    def empty(self) -> None:
        """Delete every object of the bucket."""

    def object_names(self) -> list[str]:
        """The keys of all objects of the bucket."""


class SigningKeys(Protocol):
    """Hands on the API servers' key files, which no API of Kubernetes gives."""

    def add(self) -> str:
        """Put the next key beside the present one, in every API server, and return its ID."""

    def sign(self) -> None:
        """Let every API server sign with the next key and list both."""


@dataclass(frozen=True, slots=True)
class World:
    """One cluster with one store; `image` is on its nodes; `keys` is None where nobody has hands on the API servers."""

    cluster: Cluster
    store: Store
    issuer_url: str
    prefix: str
    folder: Path
    image: str
    keys: SigningKeys | None = None

    def values(self, **more: Any) -> Path:
        """Values of the chart for this store, as a file."""
        repository, _, tag = self.image.rpartition(":")
        values = {
            "image": {"repository": repository, "tag": tag},
            "storeEndpoints": [self.store.endpoint_url],
            "extraEnvFrom": [{"secretRef": {"name": "store"}}],
            **more,
        }
        path = self.folder / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    def install(self, *arguments: str, chart: Path = CHART, verb: str = "install", **values: Any) -> str:
        """`helm install --wait` or `helm upgrade --wait` of the release."""
        place = (f"--namespace={NAMESPACE}", f"--values={self.values(**values)}", "--wait", "--timeout=150s")
        return self.cluster.helm(verb, RELEASE, chart, *place, *arguments)

    def prepare_namespace(self) -> None:
        """Make the release's namespace, as strict as Pod Security knows, and the store's credentials in it."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        credentials = {k: base64.b64encode(v.encode()).decode() for k, v in self.store.credentials.items()}
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "store", "namespace": NAMESPACE},
                "data": credentials,
            },
        )

    def issuer(self, name: str = "prod", **spec: Any) -> Object:
        """The manifest of an issuer with periods of seconds."""
        return {
            "apiVersion": "oidc-publisher.io/v1alpha1",
            "kind": "OIDCIssuer",
            "metadata": {"name": name},
            "spec": {
                "issuerURL": self.issuer_url,
                "interval": "2s",
                "cacheMaxAge": "2s",
                "rotation": {"prePublishPeriod": "4s", "maxTokenLifetime": "10s", "clockSkew": "1s"},
                "store": {
                    "s3": {
                        "bucket": self.store.bucket,
                        "region": self.store.region,
                        "prefix": self.prefix,
                        "endpointURL": self.store.endpoint_url,
                        "addressingStyle": "Path",
                        "certificateAuthority": self.store.ca_pem,
                    }
                },
                "probe": {
                    "audiences": [AUDIENCE],
                    "relyingParties": ["Kubernetes"],
                    "allowPrivateAddress": True,
                    "certificateAuthority": self.store.ca_pem,
                },
                **spec,
            },
        }

    def status(self, name: str = "prod") -> Object:
        """The issuer's status."""
        found: Object = self.cluster.get("oidcissuer", name).get("status", {})
        return found

    def wait_ready(self, name: str = "prod", timeout_s: float = 60) -> Object:
        """Wait until the issuer is Ready, proven by whichever operator runs now."""

        def ready() -> Object | None:
            status = self.status(name)
            held = {c["type"]: c["status"] for c in status.get("conditions", [])}
            return status if held.get("Ready") == "True" else None

        status: Object = self.cluster.wait_for(ready, what=f"{name} is Ready", timeout_s=timeout_s)
        return status


def prove_anew(world: World) -> None:
    """Change something that every pass honours, and wait until the operator that runs now has proven that."""
    changed = "3s" if world.cluster.get("oidcissuer", "prod")["spec"]["interval"] == "2s" else "2s"
    world.cluster.kubectl("patch", "oidcissuer", "prod", "--type=merge", f'-p={{"spec":{{"interval":"{changed}"}}}}')
    generation = world.cluster.get("oidcissuer", "prod")["metadata"]["generation"]
    world.cluster.wait_for(
        lambda: world.status().get("observedGeneration") == generation, what="the operator has seen the change"
    )
    world.wait_ready()
