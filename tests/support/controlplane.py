"""Run a real control plane of etcd and one to three kube-apiservers, as plain processes.

Inside the test run's network namespace the servers bind and advertise 10.201.0.11, .12 and .13 and appear in
EndpointSlice `default/kubernetes`. With `loopback=True` they listen on 127.0.0.1 instead, need no namespace, and no
EndpointSlice exists. There is no controller manager: namespaces are never emptied, no default ServiceAccount is made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import secrets
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

from tests.support import binaries, namespace
from tests.support.adminapi import AdminApi
from tests.support.apiserver import ApiServer, ClusterFiles, ServerConfig
from tests.support.processes import Process, ProcessFailedError, accepts_connections, free_port, wait_for
from tests.support.startable import Startable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.pki import PKI

__all__ = ["ControlPlane", "ServerConfig"]

API_PORT = 6443
READY_TIMEOUT_S = 60.0
LISTED_TIMEOUT_S = 45.0
#: Longer than one server's round of its endpoints takes on a busy machine.
STEADY_S = 0.5
#: Up to Kubernetes 1.33 a server ends with it whose first start over an empty etcd comes at the same moment as another's.
_LOST_FIRST_START = "another caller has already initialized the resource"


class ControlPlane(AdminApi, Startable):
    """etcd and its API servers; `configs` has one entry per server."""

    def __init__(
        self,
        folder: Path,
        pki: PKI,
        configs: Sequence[ServerConfig] | None = None,
        *,
        loopback: bool = False,
        port: int = API_PORT,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.pki = pki
        self.loopback = loopback
        self.configs = list(configs or [ServerConfig.default()] * 2)
        self.admin_token = secrets.token_hex(16)
        self._client_tls = pki.client_context()
        folder.mkdir(parents=True, exist_ok=True)
        etcd_port = free_port()
        self._etcd = Process("etcd", self._etcd_argv(etcd_port), folder / "etcd.log")
        self._etcd_port = etcd_port
        cluster = ClusterFiles(f"http://127.0.0.1:{etcd_port}", self._write_tokens(), pki.ca_file, pki.serving())
        self.servers = [
            ApiServer(folder / f"kube-apiserver-{number}", host, port, cluster)
            for number, (host, port) in enumerate(_places(len(self.configs), loopback=loopback, port=port))
        ]

    @property
    def addresses(self) -> list[str]:
        """HOST:PORT of every server, running or not."""
        return [server.host_port for server in self.servers]

    @property
    def ca_pem(self) -> bytes:
        """The authority of the servers' certificates."""
        return self.pki.ca_pem

    def start(self) -> None:
        """Start etcd and all servers side by side, and wait until they are ready and listed."""
        try:
            self._start_etcd()
            for server, config in zip(self.servers, self.configs, strict=True):
                server.start(config)
            self._wait_ready(*range(len(self.servers)))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill everything and remove etcd's data; the logs stay."""
        for server in self.servers:
            server.kill()
        self._etcd.kill()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def kill(self, index: int) -> None:
        """Kill one server; its entry stays in the EndpointSlice for up to 15 s, as it does in a real cluster."""
        self.servers[index].kill()

    def start_server(self, index: int, config: ServerConfig | None = None) -> None:
        """Start a killed server, with another configuration if given, and wait until it is ready and listed."""
        if config is not None:
            self.configs[index] = config
        self.servers[index].start(self.configs[index])
        self._wait_ready(index)

    def restart(self, index: int, config: ServerConfig | None = None) -> None:
        """Kill one server and start it again, with another configuration if given."""
        self.kill(index)
        self.start_server(index, config)

    def restart_all(self, config: ServerConfig) -> None:
        """Kill all servers and start them side by side with the same configuration."""
        self._replace([config] * len(self.servers))

    def back_up(self) -> Path:
        """Copy what etcd holds, and return the folder of the copy. The API servers lose etcd for a moment."""
        copy = self.folder / "etcd-backup"
        self._etcd.kill()
        shutil.copytree(self.folder / "etcd", copy)
        self._start_etcd()
        self._wait_ready(*range(len(self.servers)))
        return copy

    def restore(self, copy: Path) -> None:
        """Let everything be as it was in this copy of etcd, as after a disaster: with the API servers down."""
        for server in self.servers:
            server.kill()
        self._etcd.kill()
        shutil.rmtree(self.folder / "etcd")
        shutil.copytree(copy, self.folder / "etcd")
        self._start_etcd()
        for server, config in zip(self.servers, self.configs, strict=True):
            server.start(config)
        self._wait_ready(*range(len(self.servers)))

    def _start_etcd(self) -> None:
        self._etcd.start()
        self._etcd.wait_until(lambda: accepts_connections("127.0.0.1", self._etcd_port))

    @contextlib.contextmanager
    def restored(self) -> Iterator[Self]:
        """Restore every server's present configuration at the end, whatever a test has changed."""
        before = list(self.configs)
        try:
            yield self
        finally:
            self._replace(before)

    def endpoint_addresses(self) -> list[str]:
        """Return the addresses in EndpointSlice default/kubernetes, sorted; empty before it exists."""
        answer = self.request("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
        if answer.status != 200:
            return []
        return sorted(address for entry in answer.json()["endpoints"] or [] for address in entry["addresses"])

    def admin_kubeconfig(self, path: Path | None = None, *, index: int = 0) -> Path:
        """Write a kubeconfig of the cluster's admin that goes through one server."""
        return self.write_kubeconfig(
            path or self.folder / f"admin-{index}.kubeconfig", index, {"token": self.admin_token}
        )

    def kubeconfig_for_service_account(
        self,
        account_namespace: str,
        name: str,
        path: Path | None = None,
        *,
        index: int = 0,
        survives_rotation: bool = False,
    ) -> Path:
        """Write a kubeconfig that acts as a ServiceAccount with exactly its RBAC rights.

        It holds a real token of ten hours. The token becomes invalid when its key is removed (kubelet would renew it),
        so `survives_rotation` uses a client certificate of the same user and groups instead.
        """
        self.create_service_account(account_namespace, name)
        target = path or self.folder / f"{account_namespace}-{name}-{index}.kubeconfig"
        if not survives_rotation:
            token = self.mint_token(index, account_namespace, name, None, 36_000)
            return self.write_kubeconfig(target, index, {"token": token})
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account_namespace}")
        certificate = self.pki.client(f"system:serviceaccount:{account_namespace}:{name}", groups)
        files = {"client-certificate": str(certificate.chain_file), "client-key": str(certificate.key_file)}
        return self.write_kubeconfig(target, index, files)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run the real kubectl as admin and return what it printed; with `check=False` its errors too."""
        running = next((number for number, server in enumerate(self.servers) if server.running), 0)
        argv: list[str | Path] = [
            binaries.find("kubectl"),
            f"--kubeconfig={self.admin_kubeconfig(index=running)}",
            *arguments,
        ]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout if check else done.stdout + done.stderr

    def _replace(self, configs: Sequence[ServerConfig]) -> None:
        """Bring the servers to these configurations, restarting only those that differ or are down."""
        stale = [
            index
            for index, (server, now, wanted) in enumerate(zip(self.servers, self.configs, configs, strict=True))
            if now != wanted or not server.running
        ]
        for index in stale:
            self.kill(index)
            self.configs[index] = configs[index]
            self.servers[index].start(configs[index])
        self._wait_ready(*stale)

    def _wait_ready(self, *indexes: int) -> None:
        for index in indexes:
            try:
                self._wait_answers(index)
            except ProcessFailedError as error:
                if self.servers[index].running or _LOST_FIRST_START not in str(error):
                    raise
                self.servers[index].start(self.configs[index])  # as the kubelet would
                self._wait_answers(index)
        if not self.loopback:
            self._wait_listed({self.servers[index].address for index in indexes})

    def _wait_answers(self, index: int) -> None:
        process = self.servers[index].process
        if process is None:
            raise RuntimeError(f"API server {index} was not started")
        process.wait_until(functools.partial(self._answers, index), timeout_s=READY_TIMEOUT_S)

    def _answers(self, index: int) -> bool:
        return self.request("GET", "/readyz", index=index).status == 200

    def _wait_listed(self, addresses: set[str]) -> None:
        """Wait for servers that are ready to be in the EndpointSlice, and to stay there.

        Servers that write their first entry at the same moment disturb each other, and so does a start that outlasts
        the lease of 15 s: the loser is ready, but joins at its next round, ten seconds later. A server in the middle of
        its round removes a new entry again, because it updates the slice without a resourceVersion.
        """

        def steady() -> bool:
            if not addresses <= set(self.endpoint_addresses()):
                return False
            time.sleep(STEADY_S)
            return addresses <= set(self.endpoint_addresses())

        what = f"EndpointSlice default/kubernetes lists {sorted(addresses)} and goes on doing so"
        wait_for(steady, timeout_s=LISTED_TIMEOUT_S, what=what)

    def _origins(self, index: int | None) -> list[tuple[str, int]]:
        chosen = self.servers if index is None else [self.servers[index]]
        return [(server.address, server.port) for server in chosen if server.running]

    def _tls(self) -> ssl.SSLContext:
        return self._client_tls

    def _etcd_argv(self, port: int) -> list[str | Path]:
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
        return [
            binaries.find("etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _write_tokens(self) -> Path:
        path = self.folder / "tokens.csv"
        path.write_text(f'{self.admin_token},admin,admin,"system:masters"\n')
        path.chmod(0o600)
        return path

    def write_kubeconfig(self, path: Path, index: int, user: dict[str, Any]) -> Path:
        """Write a kubeconfig with these credentials that goes through one server."""
        cluster = {
            "server": f"https://{self.servers[index].host_port}",
            "certificate-authority": str(self.pki.ca_file),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "testbed",
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
            "clusters": [{"name": "testbed", "cluster": cluster}],
            "users": [{"name": "testbed", "user": user}],
        }
        path.write_text(json.dumps(config, indent=1))
        path.chmod(0o600)
        return path


def with_keys(config: ServerConfig, *public_pems: bytes) -> ServerConfig:
    """Return the configuration with these verification keys instead of its own."""
    return dataclasses.replace(config, key_files=public_pems)


def _places(count: int, *, loopback: bool, port: int) -> list[tuple[str, int]]:
    if loopback:
        return [("127.0.0.1", free_port()) for _ in range(count)]
    return [(address, port) for address in namespace.SERVER_ADDRESSES[:count]]
