"""The operator as a whole in this process, against an API server that answers as a test tells it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp import web

from oidc_publisher.controller import leftovers, operator
from oidc_publisher.controller.leftovers import Leftovers
from oidc_publisher.controller.metrics import metriclist
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.controller.shard import Shard
from oidc_publisher.keys.remembering import Remembered
from oidc_publisher.reconcile.passes import Gone, Outcome
from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.tracing import ENDPOINTS
from oidc_publisher.timing.loopturns import MeasuredLoop
from tests.support.apistub import APIStub, refuses, says, serving
from tests.support.processes import free_port
from tests.support.statuses import issuer_object

if TYPE_CHECKING:
    from tests.support.pki import PKI

GROUP_VERSION = "/apis/oidc-publisher.io/v1alpha1"
COLLECTION = f"{GROUP_VERSION}/oidcissuers"
PATH = f"{COLLECTION}/prod"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/publishers/leases"


@dataclass
class Cluster:
    """One suspended issuer, whose status is patched as an API server does; `watches` are the streams that were begun."""

    obj: dict[str, Any] = field(default_factory=lambda: issuer_object(conditions=[]))
    watches: list[web.StreamResponse] = field(default_factory=list)
    patched: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.obj["spec"]["suspend"] = True

    async def collection(self, request: web.Request) -> web.StreamResponse:
        """The list, or a watch that goes on until the test ends."""
        if "watch" not in request.query:
            listed = {"kind": "OIDCIssuerList", "metadata": {"resourceVersion": "1"}, "items": [self.obj]}
            return web.json_response(listed)
        stream = web.StreamResponse()
        await stream.prepare(request)
        self.watches.append(stream)
        await self.stop.wait()
        return stream

    async def get(self, _: web.Request) -> web.StreamResponse:
        """The object."""
        return web.json_response(self.obj)

    async def patch_status(self, request: web.Request) -> web.StreamResponse:
        """The status after the patch; null takes a member out."""
        patch = (await request.json())["status"]
        status = {name: value for name, value in {**self.obj["status"], **patch}.items() if value is not None}
        self.obj = {**self.obj, "status": status}
        self.patched.set()
        return web.json_response(self.obj)

    async def changed(self) -> None:
        """Somebody changed the spec: the watch says so."""
        self.obj["metadata"]["generation"] += 1
        line = json.dumps({"type": "MODIFIED", "object": self.obj}) + "\n"
        await self.watches[-1].write(line.encode())

    def serve(self, stub: APIStub) -> None:
        """Answer for the resource, once its CRD is there."""
        stub.on("GET", COLLECTION, self.collection)
        stub.on("GET", PATH, self.get)
        stub.on("PATCH", f"{PATH}/status", self.patch_status)
        stub.on("POST", "/apis/events.k8s.io/v1/namespaces/default/events", says({}, status=201))
        for path, answer in DISCOVERY.items():
            stub.on("GET", path, says(answer))


def _resource(name: str, kind: str) -> dict[str, Any]:
    verbs = ["get", "list", "patch", "watch"]
    return {"name": name, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": verbs}


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


#: What kopf asks for before it watches: our resource, and two others that it wants to know of.
DISCOVERY: dict[str, dict[str, Any]] = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [_resource("namespaces", "Namespace")]},
    "/apis": {"groups": [_group("oidc-publisher.io", "v1alpha1"), _group("apiextensions.k8s.io", "v1")]},
    "/apis/apiextensions.k8s.io/v1": {
        "resources": [_resource("customresourcedefinitions", "CustomResourceDefinition")]
    },
    GROUP_VERSION: {"resources": [_resource("oidcissuers", "OIDCIssuer")]},
}


def settings_for(stub: APIStub, pki: PKI, folder: Path) -> RunSettings:
    """A kubeconfig for the stub, and health pages on any port."""
    cluster = {"server": f"https://{stub.address}", "certificate-authority": str(pki.ca_file)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{"name": "one", "cluster": cluster}],
        "users": [{"name": "one", "user": {"token": "irrelevant"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return RunSettings(kubeconfig=str(path), health_address=Address("127.0.0.1", 0))


async def run(settings: RunSettings) -> int:
    """As the command does, but within a loop that runs already."""
    return await operator.run(settings, operator.prepare(settings))


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for a condition, as long as it takes on a busy machine."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a condition of the program's, which sets no event
            await asyncio.sleep(0.02)


async def test_it_waits_for_the_crd_then_follows_every_change_until_it_is_told_to_stop(
    pki: PKI, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing to read for a suspended issuer, but each generation of it gets a status; SIGTERM ends it with 0."""
    cluster = Cluster()
    async with serving(pki) as stub:
        stub.on("GET", COLLECTION, refuses(503, "ServiceUnavailable", "starting"))
        running = asyncio.create_task(run(settings_for(stub, pki, tmp_path)))
        await eventually(lambda: stub.seen)
        del stub.answers["GET", COLLECTION]
        asked = len(stub.seen)
        await eventually(lambda: len(stub.seen) > asked)
        cluster.serve(stub)
        await eventually(cluster.patched.is_set)
        assert cluster.obj["status"]["observedGeneration"] == 3
        (ready,) = [c for c in cluster.obj["status"]["conditions"] if c["type"] == "Ready"]
        assert (ready["status"], ready["reason"]) == ("Unknown", "Suspended")
        await eventually(lambda: cluster.watches)
        await cluster.changed()
        await eventually(lambda: cluster.obj["status"]["observedGeneration"] == 4)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, 30) == 0
        cluster.stop.set()
    assert "The CustomResourceDefinition is missing." in capsys.readouterr().out


def test_its_metrics_have_every_part_of_it_and_the_issuer(pki: PKI, tmp_path: Path) -> None:
    """What the list promises of the operator is on the page of a running one, before and after it has read an issuer."""
    with asyncio.Runner(loop_factory=MeasuredLoop) as runner:  # as `run` does
        runner.run(_shows_every_metric(pki, tmp_path))


async def _shows_every_metric(pki: PKI, tmp_path: Path) -> None:
    cluster, port = Cluster(), free_port()
    async with serving(pki) as stub:
        cluster.serve(stub)
        shard = next(shard for shard in (Shard(1, 2), Shard(2, 2)) if shard.holds(cluster.obj["metadata"]["uid"]))
        other = 3 - shard.index
        stub.on("PATCH", f"{LEASES}/shard-{shard.index}", says({"kind": "Lease"}))
        stub.on("GET", f"{LEASES}/shard-{other}", says({"kind": "Lease", "spec": {}}))
        settings = replace(
            settings_for(stub, pki, tmp_path),
            metrics_address=Address("127.0.0.1", port),
            shard=shard,
            shard_leases=("publishers", "shard"),
        )
        running = asyncio.create_task(run(settings))
        await eventually(lambda: cluster.watches)
        await eventually(cluster.patched.is_set)
        await asyncio.sleep(0)

        async def page() -> str:
            return await asyncio.to_thread(_page_at, port)

        async with asyncio.timeout(60):
            while 'reconciles_total{issuer="prod",result="changed"} 1.0' not in await page():  # noqa: ASYNC110 - the page is the condition
                await asyncio.sleep(0.02)
        text = await page()
        for metric in metriclist.OF_OPERATOR:
            suffix = "_count" if metric.kind is metriclist.Kind.HISTOGRAM else ""
            assert f"\n{metric.full_name}{suffix}" in text or metric is metriclist.STORE_SECONDS, metric.name
        for line in (
            "api_server_reachable 1.0",
            "api_server_outages_total 0.0",
            'watch_running{watch="issuers"} 1.0',
            'watch_restarts_total{watch="issuers"} 0.0',
            "queue_capacity 16.0",
            "queue_slow_running 0.0",
            f'shard_info{{shard="{shard.index}",shards="2"}} 1.0',
            "shards 2.0",
            f'shard_silent_seconds{{shard="{other}"}} 0.0',
            "issuers 1.0",
            'issuer_suspended{issuer="prod"} 1.0',
            'condition{issuer="prod",status="Unknown",type="Ready"} 1.0',
        ):
            assert f"\noidc_publisher_{line}\n" in text, line
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, 30) == 0
        cluster.stop.set()
    with pytest.raises(OSError, match="refused"):
        _page_at(port)


async def test_of_two_new_issuers_the_second_one_is_not_asked_for(pki: PKI, tmp_path: Path) -> None:
    """Its first pass goes by the object that the watch shows, for the first one has proved that objects may be read."""
    cluster = Cluster()
    spec = cluster.obj["spec"] | {"keySources": [{"name": "keys", "files": {"directory": "/k", "entryPattern": ".*"}}]}
    spec["store"] = {"gcs": {"bucket": "example"}}
    cluster.obj = {**cluster.obj, "spec": spec, "status": {}}
    cluster.obj["metadata"]["resourceVersion"] = "7"
    metadata = {**cluster.obj["metadata"], "name": "second", "uid": "uid-of-second"}
    second = Cluster({**cluster.obj, "metadata": metadata})
    asked: list[str] = []

    async def get(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await cluster.get(request)

    async with serving(pki) as stub:
        cluster.serve(stub)
        stub.on("GET", PATH, get)
        stub.on("GET", f"{COLLECTION}/second", get)
        stub.on("PATCH", f"{COLLECTION}/second/status", second.patch_status)
        running = asyncio.create_task(run(settings_for(stub, pki, tmp_path)))
        await eventually(lambda: cluster.patched.is_set() and cluster.watches)
        line = json.dumps({"type": "ADDED", "object": second.obj}) + "\n"
        await cluster.watches[-1].write(line.encode())
        await eventually(second.patched.is_set)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, 30) == 0
        cluster.stop.set()
    assert asked == [PATH]


class _GoneIssuers:
    """A reconciler that finds every issuer gone."""

    async def reconcile(self, _: str) -> Gone:
        """As if the object had just been deleted."""
        return Gone()

    async def close(self) -> None:
        """Nothing is open."""


async def test_it_lets_go_what_issuers_that_went_leave(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was parsed is forgotten, garbage is collected, and what was freed goes back to the system (test_leftovers.py)."""
    done: list[str] = []
    monkeypatch.setattr(leftovers, "FORGET_S", 0.02)
    monkeypatch.setattr(leftovers, "gc", SimpleNamespace(collect=lambda: done.append("collected")))
    monkeypatch.setattr(leftovers, "return_freed", lambda: done.append("returned"))
    monkeypatch.setattr(operator, "_the_reconciler", lambda *_: _GoneIssuers())
    cluster, remembered = Cluster(), Remembered(bytes.upper)
    remembered(b"gone")
    async with serving(pki) as stub:
        cluster.serve(stub)
        running = asyncio.create_task(run(settings_for(stub, pki, tmp_path)))
        await eventually(lambda: not len(remembered) and {"collected", "returned"} <= set(done))
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, 30) == 0
        cluster.stop.set()


async def test_what_is_let_go_at_once_depends_on_how_many_issuers_are_there(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk through a fleet takes too long (test_leftovers.py)."""
    asked: list[Callable[[], int]] = []

    def noted(issuers: Callable[[], int]) -> Leftovers:
        asked.append(issuers)
        return Leftovers(issuers)

    monkeypatch.setattr(operator, "Leftovers", noted)
    cluster = Cluster()
    async with serving(pki) as stub:
        cluster.serve(stub)
        running = asyncio.create_task(run(settings_for(stub, pki, tmp_path)))
        await eventually(cluster.patched.is_set)
        assert [issuers() for issuers in asked] == [1]
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, 30) == 0
        cluster.stop.set()


def _page_at(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


@pytest.mark.slow
def test_an_operator_without_metrics_and_traces_imports_nothing_for_them() -> None:
    """Both would cost each start time and memory, for nobody."""
    code = (
        "import sys, oidc_publisher.controller.operator, oidc_publisher.reconcile.reconciler\n"
        "from oidc_publisher.telemetry.tracing import tracing_for\n"
        "assert tracing_for({}, version='1') is None\n"
        "sys.exit(' '.join(name for name in sys.modules if name.startswith(('prometheus_client', 'opentelemetry'))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


_NAMES_LATE_IMPORTS = """
import asyncio, os, signal, sys
from oidc_publisher.controller import operator
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.telemetry.address import Address

late = []

class Finder:
    def find_spec(self, name, path=None, target=None):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        late.append(name)

def started(_):
    os.kill(os.getpid(), signal.SIGTERM)

nowhere = Address("127.0.0.1", 0)
settings = RunSettings(kubeconfig=sys.argv[1], health_address=nowhere, metrics_address=nowhere if sys.argv[2:] else None)
credentials = operator.prepare(settings)
sys.meta_path.insert(0, Finder())
operator.Operator._freeze_imports = started
assert asyncio.run(operator.run(settings, credentials)) == 0
unasked = {"prometheus_client"} if settings.metrics_address is None else set()
if "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ:
    unasked.add("opentelemetry")
assert not unasked & {name.partition(".")[0] for name in sys.modules}
sys.exit(" ".join(late) or 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("traces", [False, True], ids=["no traces", "traces"])
@pytest.mark.parametrize("more", [(), ("metrics",)], ids=["no metrics", "metrics"])
async def test_everything_that_a_start_imports_is_imported_before_there_is_a_loop(
    more: tuple[str, ...], traces: bool, pki: PKI, tmp_path: Path
) -> None:
    """All of it within the loop was one turn of 70 ms, as long again with traces, and longer for a kubeconfig with a plugin."""
    if traces:
        pytest.importorskip("opentelemetry.sdk")
    async with serving(pki) as stub:
        settings = settings_for(stub, pki, tmp_path)
    assert settings.kubeconfig is not None
    arguments = [sys.executable, "-c", _NAMES_LATE_IMPORTS, settings.kubeconfig, *more]
    environment = {name: value for name, value in os.environ.items() if name not in ENDPOINTS}
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"} if traces else {}
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs
        arguments, capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_watch_that_breaks_is_begun_again(pki: PKI, tmp_path: Path) -> None:
    """A refused list ends kopf; a token that is not accepted any more is no end either."""
    cluster = Cluster()
    async with serving(pki) as stub:
        cluster.serve(stub)
        served = stub.answers["GET", COLLECTION]
        forbidden = refuses(403, "Forbidden", "no")

        async def refuses_lists(request: web.Request) -> web.StreamResponse:
            """The look for the CRD is allowed, the list of kopf is not."""
            return await (served if "limit" in request.query else forbidden)(request)

        stub.answers["GET", COLLECTION] = refuses_lists
        running = asyncio.create_task(run(settings_for(stub, pki, tmp_path)))

        def refused() -> int:
            return sum(seen.path == COLLECTION and "limit" not in seen.query for seen in stub.seen)

        await eventually(lambda: refused() > 1)
        stub.on("GET", COLLECTION, refuses(401, "Unauthorized", "no"), refuses(401, "Unauthorized", "no"), served)
        await eventually(cluster.patched.is_set)
        os.kill(os.getpid(), signal.SIGINT)
        assert await asyncio.wait_for(running, 30) == 0
        cluster.stop.set()


async def test_what_a_pass_has_imported_is_kept_out_of_collections(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full collection walks through a cloud's library in a turn of the event loop: 25 ms each time."""
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append("cloud" in sys.modules))
    monkeypatch.setattr(operator, "_the_reconciler", lambda *_: Importing(monkeypatch))
    cluster = Cluster()
    async with serving(pki) as stub:
        cluster.serve(stub)
        running = asyncio.create_task(run(settings_for(stub, pki, tmp_path)))
        await eventually(lambda: len(frozen) > 1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, 30) == 0
        cluster.stop.set()
    assert frozen[:2] == [False, True], "at the start, and after the pass that imported something"


@dataclass
class Importing:
    """A reconciler whose first pass imports a module."""

    monkeypatch: pytest.MonkeyPatch

    async def reconcile(self, _: str) -> Outcome:
        """Import it."""
        self.monkeypatch.setitem(sys.modules, "cloud", ModuleType("cloud"))
        return Outcome()

    async def close(self) -> None:
        """Hold nothing open."""
