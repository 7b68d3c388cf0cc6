"""The operator's shell on a real API server: one test per trap of kopf.

Each test runs the real `oidc-publisher run` as a process; only its reconcile is replaced by one that writes down what
it saw, and asks to be woken after an hour: whatever it sees, it sees because of an event.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.processes import Process, free_port, wait_for
from tests.support.relay import Relay
from tests.support.secretscan import watch_log

if TYPE_CHECKING:
    from tests.support.controlplane import ControlPlane

CRD_FILE = Path(__file__).parents[2] / "crds" / "oidc-publisher.io_oidcissuers.yaml"
DRIVER = Path(__file__).with_name("lifecycle_driver.py")
CRD_NAME = "oidcissuers.oidc-publisher.io"
API_VERSION, KIND = "oidc-publisher.io/v1alpha1", "OIDCIssuer"
COLLECTION = f"/apis/{API_VERSION}/oidcissuers"

#: Generous: these tests are about whether, docs/reference/performance.md is about how fast.
SOON_S = 45.0

#: The operator's API server is one of two, so that the other can be used while it is away.
THEIRS = 0

Start = Callable[..., "Operator"]


class Operator:
    """The process, and what its reconcile wrote down."""

    def __init__(self, folder: Path, kubeconfig: Path, *, hang: str = "", blind: str = "", watch_s: str = "") -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.record = folder / "record.jsonl"
        env = {"KUBECONFIG": str(kubeconfig), "LIFECYCLE_RECORD": str(self.record), "LIFECYCLE_HANG": hang}
        env |= {"LIFECYCLE_BLIND": blind, "LIFECYCLE_WATCH_S": watch_s}
        argv: list[str | Path] = [
            sys.executable,
            DRIVER,
            "run",
            f"--health-address=127.0.0.1:{self.port}",
            f"--metrics-address=127.0.0.1:{self.metrics_port}",
            "--log-format=json",
        ]
        watch_log(folder / "operator.log", env)
        self.process = Process("operator", argv, folder / "operator.log", env=env)
        self.started = time.monotonic()
        self.process.start()

    def seen(self) -> list[dict[str, Any]]:
        """Every reconcile so far."""
        if not self.record.exists():
            return []
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def wait_for(self, name: str, generation: int | None = 1, *, since: float = 0.0) -> float:
        """Wait until a reconcile after `since` saw this generation (None: gone), and return when it was."""

        def found() -> list[float]:
            return [
                run["at"]
                for run in self.seen()
                if run["name"] == name and run["generation"] == generation and run["at"] >= since
            ]

        what = f"{name} of generation {generation} is reconciled"
        self.process.wait_until(lambda: bool(found()), timeout_s=SOON_S, what=what)
        return found()[0]

    def wait_for_log(self, text: str) -> None:
        """Wait until it has logged a text."""
        self.process.wait_until(lambda: text in self.process.log(), timeout_s=SOON_S, what=f"saying {text!r}")

    def health(self, page: str) -> tuple[int, str]:
        """Status and text of a health page."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{page}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, series: str) -> float | None:
        """The present value of a series without its prefix, None where there is none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            found = re.search(rf"^oidc_publisher_{re.escape(series)} (.*)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else None

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        return self.health("/readyz")[0] == 200


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Two API servers and the CRD; all as before at the end."""
    with control_plane.restored():
        yield control_plane


@pytest.fixture
def issuers(cluster: ControlPlane) -> Iterator[Issuers]:
    """The CRD applied, and no OIDCIssuer before and after."""
    objects = Issuers(cluster)
    objects.apply_crd()
    cluster.request("DELETE", COLLECTION)
    yield objects
    for index, server in enumerate(cluster.servers):
        if not server.running:
            cluster.start_server(index)
    objects.apply_crd()
    cluster.request("DELETE", COLLECTION)


class Issuers:
    """OIDCIssuers and their CRD, written by the admin."""

    def __init__(self, cluster: ControlPlane) -> None:
        self.cluster = cluster

    def apply_crd(self) -> None:
        """Apply the CRD and wait until every running API server serves it."""
        self.cluster.apply(CRD_FILE)
        for index, server in enumerate(self.cluster.servers):
            if server.running:
                self._wait_until_served(index, status=200)

    def delete_crd(self) -> None:
        """Delete the CRD and wait until the operator's API server knows."""
        self.cluster.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", CRD_NAME)
        self._wait_until_served(THEIRS, status=404)

    def create(self, name: str) -> None:
        """Create an issuer."""
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": _spec(name)}
        answer = self.cluster.request("POST", COLLECTION, body)
        assert answer.status == 201, answer.body

    def change(self, name: str) -> None:
        """Change its spec, which makes a new generation."""
        seconds = 60 + int(time.monotonic()) % 500
        self.cluster.patch(API_VERSION, KIND, name, {"spec": {"interval": f"{seconds}s"}})

    def delete(self, name: str) -> None:
        """Delete it."""
        self.cluster.delete(API_VERSION, KIND, name)

    def get(self, name: str) -> dict[str, Any]:
        """Read it."""
        return self.cluster.get(API_VERSION, KIND, name)

    def _wait_until_served(self, index: int, status: int) -> None:
        wait_for(
            lambda: self.cluster.request("GET", COLLECTION, index=index).status == status,
            timeout_s=SOON_S,
            what=f"API server {index} answers {status} to a list of OIDCIssuers",
        )


def _spec(name: str) -> dict[str, Any]:
    return {
        "issuerURL": f"https://oidc.example.test/{name}",
        "store": {"s3": {"bucket": "example-oidc", "region": "eu-central-1", "prefix": name}},
    }


@pytest.fixture
def start(cluster: ControlPlane, tmp_path: Path) -> Iterator[Start]:
    """A function that starts the operator; it uses the first API server as admin if not told otherwise."""
    running: list[Operator] = []

    def start_one(kubeconfig: Path | None = None, **options: Any) -> Operator:
        running.append(Operator(tmp_path, kubeconfig or cluster.admin_kubeconfig(index=THEIRS), **options))
        return running[-1]

    yield start_one
    for operator in running:
        operator.process.kill()


def test_an_object_is_seen_when_it_appears_changes_and_goes(issuers: Issuers, start: Start) -> None:
    """The ordinary day: present objects, new ones, changed ones and deleted ones."""
    issuers.create("early")
    operator = start()
    operator.wait_for("early")
    issuers.create("late")
    operator.wait_for("late")
    issuers.change("early")
    operator.wait_for("early", 2)
    issuers.delete("late")
    operator.wait_for("late", None)


def test_a_change_of_the_status_or_of_a_label_is_no_work(issuers: Issuers, start: Start) -> None:
    """The operator's own status patches do not wake it, a request for a reconcile does."""
    issuers.create("prod")
    operator = start()
    operator.wait_for("prod")
    cluster = issuers.cluster
    cluster.patch(API_VERSION, KIND, "prod", {"status": {"issuerURL": "https://changed"}}, subresource="status")
    cluster.patch(API_VERSION, KIND, "prod", {"metadata": {"labels": {"team": "a"}}})
    before = len(operator.seen())
    requested = {"metadata": {"annotations": {"oidc-publisher.io/reconcile-requested-at": "now"}}}
    asked = time.monotonic()
    cluster.patch(API_VERSION, KIND, "prod", requested)
    operator.wait_for("prod", since=asked)
    assert len(operator.seen()) == before + 1


def test_the_crd_may_come_after_the_operator(issuers: Issuers, start: Start) -> None:
    """Without the CRD it says once what to do, and begins as soon as it is there."""
    issuers.delete_crd()
    operator = start()
    operator.wait_for_log("The CustomResourceDefinition is missing. Apply it: kubectl apply")
    operator.process.wait_until(operator.is_ready, what="ready: the API server answers")
    time.sleep(3)
    issuers.apply_crd()
    issuers.create("prod")
    operator.wait_for("prod")
    assert operator.process.log().count("CustomResourceDefinition is missing") == 1


@pytest.mark.parametrize("pause_s", [0, 3], ids=["at once", "later"])
def test_the_crd_may_be_deleted_and_made_again(issuers: Issuers, start: Start, pause_s: int) -> None:
    """Made again at once, kopf finds another storage behind the same path; made again later, kopf has ended."""
    operator = start()
    for turn in range(3):
        name = f"turn-{turn}"
        issuers.create(name)
        operator.wait_for(name)
        issuers.delete_crd()
        time.sleep(pause_s)
        issuers.apply_crd()
        operator.wait_for(name, None)
    assert operator.process.running
    ended = operator.process.log().count("The watch of OIDCIssuers ended")
    assert ended == 3 or not pause_s


def test_a_kopf_that_misses_the_crd_in_discovery_is_started_again(issuers: Issuers, start: Start) -> None:
    """It reads discovery once, and one of several API servers may be behind: without a list it is taken for blind."""
    issuers.delete_crd()
    operator = start(blind="yes")
    operator.wait_for_log("kopf did not find the resource in discovery")
    issuers.apply_crd()
    issuers.create("prod")
    operator.wait_for("prod")


@pytest.mark.parametrize("seconds", [2, 60])
def test_the_api_server_may_be_away(issuers: Issuers, start: Start, seconds: int) -> None:
    """After it was killed for two seconds or a minute all is seen again: old objects at once, new ones by events."""
    issuers.create("old")
    operator = start()
    operator.wait_for("old")
    issuers.cluster.kill(THEIRS)
    operator.wait_for_log("The API server cannot be used")
    assert operator.health("/readyz")[0] == 503
    assert operator.health("/livez")[0] == 200
    assert (operator.metric("api_server_reachable"), operator.metric("api_server_outages_total")) == (0, 1)
    issuers.create("made-meanwhile")
    time.sleep(seconds)
    back = time.monotonic()
    issuers.cluster.start_server(THEIRS)
    operator.wait_for("old", since=back)
    operator.wait_for("made-meanwhile", since=back)
    issuers.create("new")
    operator.wait_for("new")
    assert operator.is_ready()
    assert operator.metric("api_server_reachable") == 1


def test_a_watch_that_has_died_unseen_is_told_and_a_restart_helps(
    issuers: Issuers, start: Start, tmp_path: Path
) -> None:
    """Its connection is open and carries nothing: /livez fails, the metric grows, and a new process sees what happened."""
    cluster = issuers.cluster
    host, _, port = cluster.servers[THEIRS].host_port.rpartition(":")
    with Relay((host, int(port))) as relay:
        config = json.loads(cluster.admin_kubeconfig(tmp_path / "relayed", index=THEIRS).read_text())
        server = {"server": f"https://127.0.0.1:{relay.port}", "tls-server-name": "kubernetes.default.svc"}
        config["clusters"][0]["cluster"] |= server
        (tmp_path / "relayed").write_text(json.dumps(config))
        operator = start(tmp_path / "relayed", watch_s="2")
        issuers.create("seen")
        operator.wait_for("seen")
        relay.freeze()
        issuers.create("unseen")
        operator.process.wait_until(
            lambda: operator.health("/livez")[0] == 500, timeout_s=SOON_S, what="seen to be blind"
        )
        page = operator.health("/livez")[1]
        assert "[-]watch failed: the watch of OIDCIssuers has asked the API server for nothing for" in page
        assert "[+]loop ok\n[+]queue ok\n" in page
        assert (operator.metric('watch_contact_age_seconds{watch="issuers"}') or 0) > 10
        assert "unseen" not in {run["name"] for run in operator.seen()}
        operator.process.kill()
        operator.process.start()
        operator.wait_for("unseen")
        assert operator.health("/livez")[0] == 200


def test_an_object_deleted_while_the_watch_was_down_is_forgotten(issuers: Issuers, start: Start) -> None:
    """Kopf makes up no event for it; the operator looks at every object it knows when the API server is back."""
    issuers.create("goes")
    issuers.create("stays")
    operator = start()
    operator.wait_for("goes")
    operator.wait_for("stays")
    issuers.cluster.kill(THEIRS)
    operator.wait_for_log("The API server cannot be used")
    issuers.delete("goes")
    issuers.cluster.start_server(THEIRS)
    operator.wait_for("goes", None)


def test_a_step_of_the_wall_clock_makes_every_issuer_be_looked_at(issuers: Issuers, start: Start) -> None:
    """R13: each of them, once per step; what a timer was set for may be due."""
    issuers.create("one")
    issuers.create("two")
    operator = start()
    operator.wait_for("one")
    operator.wait_for("two")
    for turn in (1, 2):
        stepped = time.monotonic()
        os.kill(operator.process.pid, signal.SIGUSR1)
        operator.wait_for("one", since=stepped)
        operator.wait_for("two", since=stepped)
        time.sleep(2.5)
        assert len(operator.seen()) == 2 + 2 * turn
    told = [line for line in operator.process.log().splitlines() if "wall clock was stepped" in line]
    assert [json.loads(line)["by_s"] for line in told] == [3600.0, 3600.0]


def test_refused_credentials_are_not_the_end(issuers: Issuers, start: Start, tmp_path: Path) -> None:
    """401 for a while, with a token file that somebody mends; kopf itself gives up after one of them."""
    token = tmp_path / "token"
    token.write_text(issuers.cluster.admin_token)
    operator = start(_kubeconfig_with_token_file(issuers.cluster, tmp_path / "kubeconfig", token))
    issuers.create("before")
    operator.wait_for("before")
    token.write_text("refused-token-0123456789")
    issuers.cluster.restart(THEIRS)  # an open watch outlives its token
    operator.wait_for_log("401")
    time.sleep(3)
    assert operator.health("/readyz")[0] == 503
    mended = time.monotonic()
    token.write_text(issuers.cluster.admin_token)
    operator.wait_for("before", since=mended)
    issuers.create("after")
    operator.wait_for("after")
    assert "refused-token-0123456789" not in operator.process.log()


def test_it_may_start_with_refused_credentials(issuers: Issuers, start: Start, tmp_path: Path) -> None:
    """401 from the first request on: it waits."""
    token = tmp_path / "token"
    token.write_text("refused-token-0123456789")
    operator = start(_kubeconfig_with_token_file(issuers.cluster, tmp_path / "kubeconfig", token))
    operator.wait_for_log("401")
    issuers.create("prod")
    token.write_text(issuers.cluster.admin_token)
    operator.wait_for("prod")


def test_missing_rights_are_not_the_end(issuers: Issuers, start: Start) -> None:
    """403 for a while, before the first list and in the middle of the watch."""
    cluster = issuers.cluster
    kubeconfig = cluster.kubeconfig_for_service_account("lifecycle", "operator", index=THEIRS)
    operator = start(kubeconfig)
    operator.wait_for_log("403")
    issuers.create("first")
    _bind(cluster)
    operator.wait_for("first")
    cluster.delete("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "lifecycle")
    cluster.restart(THEIRS)
    issuers.create("second")
    time.sleep(3)
    assert operator.health("/readyz")[0] == 503
    _bind(cluster)
    operator.wait_for("second")
    cluster.delete("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "lifecycle")


def test_objects_stay_untouched(issuers: Issuers, start: Start) -> None:
    """No annotation, no finalizer, no other writer than the admin, also after a change."""
    issuers.create("prod")
    operator = start()
    operator.wait_for("prod")
    issuers.change("prod")
    operator.wait_for("prod", 2)
    operator.process.terminate()
    metadata = issuers.get("prod")["metadata"]
    assert "annotations" not in metadata
    assert "finalizers" not in metadata
    assert all("kopf" not in field["manager"] for field in metadata["managedFields"])
    assert not any(field["manager"].startswith("oidc-publisher") for field in metadata["managedFields"])


def test_an_idle_operator_stops_within_a_second(issuers: Issuers, start: Start) -> None:
    """SIGTERM with nothing to do: exit code 0, fast."""
    issuers.create("prod")
    operator = start()
    operator.wait_for("prod")
    time.sleep(0.5)
    assert operator.process.terminate() < 1.0
    assert operator.process.returncode == 0


@pytest.mark.parametrize("hang", ["task", "thread"])
def test_a_busy_operator_stops_within_two_seconds(issuers: Issuers, start: Start, hang: str) -> None:
    """SIGTERM while reconciles hang: in the event loop, or in a thread that cannot be cancelled."""
    for number in range(3):
        issuers.create(f"busy-{number}")
    operator = start(hang=hang)
    operator.wait_for("busy-2")
    assert operator.process.terminate() < 2.0
    assert operator.process.returncode == 0


def test_it_stops_while_it_waits_for_the_api_server(issuers: Issuers, start: Start) -> None:
    """SIGTERM is obeyed at once when nothing answers and kopf is in its retries."""
    operator = start()
    issuers.create("prod")
    operator.wait_for("prod")
    issuers.cluster.kill(THEIRS)
    operator.wait_for_log("The API server cannot be used")
    assert operator.process.terminate() < 1.0
    assert operator.process.returncode == 0


def test_kopf_takes_no_signals_after_it_was_started_again(issuers: Issuers, start: Start) -> None:
    """Each start of kopf takes the signal handlers: the operator takes them back, so that the queue is drained."""
    operator = start()
    issuers.create("prod")
    operator.wait_for("prod")
    issuers.delete_crd()
    issuers.apply_crd()
    issuers.create("again")
    operator.wait_for("again")
    operator.process.terminate()
    assert operator.process.returncode == 0
    assert "oidc-publisher has stopped" in operator.process.log()


def _bind(cluster: ControlPlane) -> None:
    """Give the operator's ServiceAccount what it needs for OIDCIssuers, and nothing on CRDs or namespaces."""
    rules = [{"apiGroups": ["oidc-publisher.io"], "resources": ["oidcissuers"], "verbs": ["get", "list", "watch"]}]
    rbac = "rbac.authorization.k8s.io/v1"
    subject = {"kind": "ServiceAccount", "namespace": "lifecycle", "name": "operator"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lifecycle"}
    cluster.apply(
        [
            {"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": "lifecycle"}, "rules": rules},
            {
                "apiVersion": rbac,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "lifecycle"},
                "roleRef": role,
                "subjects": [subject],
            },
        ]
    )


def _kubeconfig_with_token_file(cluster: ControlPlane, path: Path, token: Path) -> Path:
    config = json.loads(cluster.admin_kubeconfig(index=THEIRS).read_text())
    config["users"][0]["user"] = {"tokenFile": str(token)}
    path.write_text(json.dumps(config))
    return path
