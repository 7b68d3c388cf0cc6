"""Run the real pass over a store and a wire in memory, files as key source and a stub as the API server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.cluster.memory import merged
from oidc_publisher.controller.metrics.observed import observing
from oidc_publisher.probe.wire.memory import MemoryWire
from oidc_publisher.probe.wire.port import Fetched
from oidc_publisher.reconcile.ports import PortOpener, Ports
from oidc_publisher.reconcile.reconciler import Reconciler
from oidc_publisher.stores.memory import MemoryStore
from oidc_publisher.telemetry.steps import OpenSpan, no_span
from tests.support.apistub import APIStub, client_of, says, serving

if TYPE_CHECKING:
    from oidc_publisher.controller.metrics.series import Series
    from tests.support.pki import PKI

URL = "https://oidc.example.com/prod"
PATH = "/apis/oidc-publisher.io/v1alpha1/oidcissuers/prod"
#: What etcd takes in one request unless it is told otherwise (--max-request-bytes).
ETCD_LIMIT = 1536 * 1024


@dataclass(slots=True)
class APIObject:
    """The OIDCIssuer as the API server keeps it; a patch that makes it larger than `limit` is refused as etcd does."""

    raw: dict[str, Any]
    limit: int = ETCD_LIMIT
    patches: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0

    async def get(self, _: web.Request) -> web.StreamResponse:
        """Answer with the object."""
        return web.json_response(self.raw)

    async def patch(self, request: web.Request) -> web.StreamResponse:
        """Merge a patch of the status."""
        patch = await request.json()
        changed = {**self.raw, "status": merged(self.raw.get("status", {}), patch["status"])}
        if len(json.dumps(changed)) > self.limit:
            self.refused += 1
            why = {"kind": "Status", "status": "Failure", "message": "etcdserver: request is too large", "code": 500}
            return web.json_response(why, status=500)
        changed["metadata"] = {**changed["metadata"], "resourceVersion": str(len(self.patches) + 2)}
        self.raw = changed
        self.patches.append(patch["status"])
        return web.json_response(self.raw)

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition."""
        found = next(c for c in self.raw["status"]["conditions"] if c["type"] == kind)
        return found["status"], found["reason"]

    def reasons(self) -> set[str]:
        """Reasons of the findings."""
        return {finding["reason"] for finding in self.raw["status"].get("findings", ())}


@dataclass(slots=True)
class MemoryPass:
    """One issuer whose keys are the files below `folder`, and everything around it."""

    api: APIObject
    store: MemoryStore
    reconciler: Reconciler
    folder: Path
    stub: APIStub
    opener: PortOpener

    async def run(self) -> Any:
        """One pass."""
        return await self.reconciler.reconcile("prod")

    def write_keys(self, pems: Sequence[bytes], *, name: Callable[[int], str] = "key-{}.pub".format) -> None:
        """Put each key into a file of its own."""
        for number, pem in enumerate(pems):
            (self.folder / name(number)).write_bytes(pem)


@asynccontextmanager
async def memory_pass(
    pki: PKI,
    folder: Path,
    store: MemoryStore | None = None,
    *,
    observer: Series | None = None,
    open_span: OpenSpan = no_span,
    **spec: Any,
) -> AsyncIterator[MemoryPass]:
    """The pass, with `spec` beside what every issuer has; `observer` is told of it and of its ports."""
    kept = store or MemoryStore()
    api = APIObject(_object(folder, spec))
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", PATH, api.get)
        stub.on("PATCH", f"{PATH}/status", api.patch)
        stub.on("GET", "/api/v1/namespaces/kube-system", says({"metadata": {"uid": "u-0"}}))
        stub.on("POST", "/apis/events.k8s.io/v1/namespaces/default/events", says({}))
        opener = PortOpener(client, key_files_root=folder)

        async def open_ports(issuer: OIDCIssuer) -> Ports:
            wire = MemoryWire(lambda url, _: _served(kept, url))
            return replace(await opener.open(issuer), store=kept, wire=wire)

        opened = observing(open_ports, observer.notes_of) if observer else open_ports
        reconciler = Reconciler(client, opened, observer=observer, open_span=open_span)
        try:
            yield MemoryPass(api, kept, reconciler, folder, stub, opener)
        finally:
            await reconciler.close()


def _object(folder: Path, spec: dict[str, Any]) -> dict[str, Any]:
    files = {"name": "files", "files": {"directory": str(folder)}}
    store = {"s3": {"bucket": "example-oidc", "region": "eu-central-1"}}
    return {
        "metadata": {"name": "prod", "uid": "u-1", "generation": 1, "resourceVersion": "1"},
        "spec": {"issuerURL": URL, "store": store, "keySources": [files]} | spec,
    }


def _served(store: MemoryStore, url: str) -> Fetched:
    found = store.documents.get(url.removeprefix(f"{URL}/"))
    if found is None:
        return Fetched(url, 404)
    document = found.document
    return Fetched(url, 200, document.body, content_type=document.content_type, cache_control=document.cache_control)
