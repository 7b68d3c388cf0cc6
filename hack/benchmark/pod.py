"""One issuer of an operator that runs as in a pod: how soon it is Ready, and what memory it takes at rest."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts
from hack.benchmark.process import rss_mib
from hack.benchmark.watch import Watch, is_ready
from tests.support.operatorprocess import OperatorProcess

_NAME, _ACCOUNT = "pod", ("default", "oidc-publisher")
_DRIVER = Path(__file__).with_name("poddriver.py")
_SAMPLES = 6
_METHOD = """\
One issuer whose keys two API servers list and whose store is S3, with passes every ten seconds, and metrics. The operator
has what kubelet gives a container, a token, a CA and two variables, and no kubeconfig; only the folder is another one.
Memory is read {samples} times within {rest:.0f} s after the issuer is Ready."""


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Start it, wait until the issuer is Ready, and let it rest."""
    parts.clear()
    operator = _operator(parts)
    memory = list[float]()
    try:
        with parts.kept_connections(), Watch(parts.cluster) as watch:
            parts.create(parts.issuer(_NAME, interval="10s"))
            began = time.monotonic()
            operator.process.start()
            ready = watch.wait(lambda event: is_ready(event, _NAME), timeout_s=60, what="Ready").at - began
            for _ in range(_SAMPLES):
                time.sleep(amount.pod_rest_s / _SAMPLES)
                memory.append(rss_mib(operator.process.pid))
    finally:
        operator.kill()
        parts.clear()
    figures = (
        Figure("Resident memory in a pod, at rest", "MiB", tuple(memory), Target(100, inclusive=True)),
        Figure("Start of the process → issuer Ready", "s", (ready,)),
    )
    return Chapter("An operator in a pod", _METHOD.format(samples=_SAMPLES, rest=amount.pod_rest_s), figures)


def _operator(parts: Parts) -> OperatorProcess:
    """An operator with the credentials of a ServiceAccount that may do everything."""
    namespace, name = _ACCOUNT
    cluster, folder = parts.cluster, parts.folder / "pod"
    cluster.create_service_account(namespace, name)
    cluster.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
    )
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(cluster.mint_token(0, namespace, name, None, 36_000), encoding="ascii")
    (folder / "ca.crt").write_bytes(parts.pki.ca_pem)
    server = urlsplit(yaml.safe_load(cluster.admin_kubeconfig().read_text())["clusters"][0]["cluster"]["server"])
    operator = parts.operator("--metrics-address=127.0.0.1:0", driver=_DRIVER)
    env = operator.process.env
    del env["KUBECONFIG"]
    env |= {
        "HOME": str(folder),
        "BENCH_POD_FOLDER": str(folder),
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
    }
    return operator
