"""What the signer costs, and what TokenRequests cost through it, beside an API server that has a key file."""

from __future__ import annotations

import dataclasses
import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hack.benchmark.figures import Chapter, Figure, NothingToMeasureError, Target
from hack.benchmark.freesigner import free_signer
from hack.benchmark.options import Amount
from hack.benchmark.process import cpu_s, rss_mib, seconds_to_exit
from hack.benchmark.signload import SignLoad
from oidc_publisher.signer.keypairs import read_pair
from oidc_publisher.signer.ring import Ring
from oidc_publisher.signer.storage import DiskCopy, DiskFile
from tests.support.controlplane import ControlPlane, ServerConfig
from tests.support.pki import PKI
from tests.support.processes import Process, free_port
from tests.support.signingkeys import Kind, SigningKey, signing_key

#: By algorithm: the key of a cluster, what `openssl speed` calls it, and how much of its rate is wanted, in percent.
_KINDS: dict[str, tuple[Kind, str, float]] = {"RS256": ("RSA-2048", "rsa2048", 55), "ES256": ("P-256", "ecdsap256", 7)}
_STREAMS = 8
#: What `openssl speed -mr` says of signatures a second: kind, number of the key, its bits, and then the rate.
_SPEED = re.compile(r"^\+F[24]:[0-9]+:[0-9]+:([0-9.]+)", re.MULTILINE)
_PATH = "/api/v1/namespaces/default/serviceaccounts/probe/token"
_METHOD = """\
A signer that has a ring on its disk and no API server anywhere. Its socket is looked for every millisecond from before the
fork; SIGTERM comes at rest. Signatures are asked for over one connection by a client that packs its frames by hand, 8 at a
time or one by one, and `openssl speed` is run before each round; claims are those of a pod. Of one core: signatures per
second of the CPU time that the kernel counts for the signer, as `openssl speed` counts for itself. Below, two API
servers over one etcd have the same key, one of them as files, the other one by the signer: 8 clients ask each in turn for
tokens, each over one connection. For ES256 the same by a signer that is written in Go with grpc-go, as the API server's own
side of the socket is, and by one that answers each call with the same bytes. The latter's share is the bound of every signer
on these cores: what is left of it is what the API server's own call of a signer costs."""


def measure(amount: Amount) -> Chapter:
    """Measure a signer by itself, then behind an API server.

    Raises:
        NothingToMeasureError: there is no openssl to compare with.
    """
    if shutil.which("openssl") is None:
        raise NothingToMeasureError("there is no openssl on PATH")
    with tempfile.TemporaryDirectory(prefix="oidc-publisher-signer-") as name:
        folder = Path(name)
        pki = PKI(folder / "pki")
        signers = {algorithm: DiskSigner(folder / algorithm, pki, kind) for algorithm, (kind, *_) in _KINDS.items()}
        figures = [*_starts(signers["RS256"], amount)]
        for algorithm, signer in signers.items():
            with signer.running():
                figures += _signatures(algorithm, signer, amount)
        figures += _token_requests(folder, pki, signers, amount)
    return Chapter("The signer", _METHOD, tuple(figures))


class DiskSigner:
    """A signer whose disk has a ring of one version, and whose kubeconfig leads to a closed port."""

    def __init__(self, folder: Path, pki: PKI, kind: Kind) -> None:
        self.key: SigningKey = signing_key(kind, "signer-bench")
        self.socket = folder / "signer.sock"
        state = folder / "state"
        state.mkdir(parents=True)
        now = datetime.now(UTC).replace(microsecond=0)
        ring = Ring("bench").with_new(*read_pair(self.key.private_pem), at=now, imported=True)
        ring = ring.with_changed(dataclasses.replace(ring.keys[0], signed_time=now))
        DiskFile(state).write(DiskCopy(ring, ring.keys[0].key_id))
        argv: list[str | Path] = [
            Path(sys.executable).with_name("oidc-publisher"),
            "signer",
            "run",
            f"--socket={self.socket}",
            f"--state={state}",
            f"--kubeconfig={_kubeconfig(folder, pki)}",
            "--node=bench",
            "--plaintext-secret",
        ]
        self.process = Process("signer", argv, folder / "log")

    def start(self) -> float:
        """Start it and return the seconds until its socket is there."""
        self.socket.unlink(missing_ok=True)
        began = time.monotonic()
        self.process.start()
        while not self.socket.exists():
            if not self.process.running:
                raise RuntimeError(self.process.log_tail())
            time.sleep(0.001)
        return time.monotonic() - began

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it until it signs: without an API server it waits ten seconds for the ring, once."""
        self.start()
        try:
            with SignLoad(self.socket) as load:
                load.sign(1, 0)
            yield
        finally:
            self.process.kill()


def _kubeconfig(folder: Path, pki: PKI) -> Path:
    certificate = pki.client("oidc-publisher:signer:bench")
    cluster = {"server": f"https://127.0.0.1:{free_port()}", "certificate-authority": str(pki.ca_file)}
    user = {"client-certificate": str(certificate.chain_file), "client-key": str(certificate.key_file)}
    document = {
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": cluster}],
        "users": [{"name": "bench", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


def _starts(signer: DiskSigner, amount: Amount) -> Iterator[Figure]:
    began, used, exits = [], [], []
    for _ in range(amount.signer_starts):
        began.append(signer.start())
        used.append(cpu_s(signer.process.pid))
        exits.append(seconds_to_exit(signer.process.pid))
    yield Figure("Start of the process → socket", "s", tuple(began), Target(0.5, by="median", inclusive=True))
    yield Figure("CPU until there is the socket", "s", tuple(used))
    yield Figure("SIGTERM → exit", "s", tuple(exits), Target(1, inclusive=True))


def _signatures(algorithm: str, signer: DiskSigner, amount: Amount) -> Iterator[Figure]:
    _, command, wanted = _KINDS[algorithm]
    rates, busy, singles = [], [], []
    with SignLoad(signer.socket) as load:
        for _ in range(amount.signer_rounds):
            reference = _openssl(command)
            used = cpu_s(signer.process.pid)
            signed = load.sign(_STREAMS, amount.signer_s)
            used = cpu_s(signer.process.pid) - used
            rates.append(100 * signed.per_s / reference)
            busy.append(100 * signed.calls / used / reference)
            singles.append(load.sign(1, amount.signer_s).p99_ms)
    target = Target(wanted, by="median", inclusive=True, at_least=True)
    yield Figure(f"Sign {algorithm} of one core, of openssl speed", "%", tuple(busy), target)
    yield Figure(f"Sign {algorithm}, 8 streams, of openssl speed", "%", tuple(rates))
    yield Figure(
        f"Sign {algorithm}, one stream, 99th percentile", "ms", tuple(singles), Target(5, "median", inclusive=True)
    )
    yield Figure(
        f"Resident memory after {algorithm}", "MiB", (rss_mib(signer.process.pid),), Target(40, inclusive=True)
    )
    used = cpu_s(signer.process.pid)
    time.sleep(amount.idle_s)
    share = 100 * (cpu_s(signer.process.pid) - used) / amount.idle_s
    yield Figure("CPU at rest, no API server", "%", (share,), Target(0.5, inclusive=True))


def _openssl(command: str) -> float:
    """Return how many signatures a second OpenSSL's own measure says."""
    argv = ["openssl", "speed", "-mr", "-seconds", "1", command]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = _SPEED.search(done.stdout)
    if found is None:
        raise RuntimeError(f"openssl speed says nothing of {command}")
    return float(found[1])


def _token_requests(folder: Path, pki: PKI, signers: dict[str, DiskSigner], amount: Amount) -> Iterator[Figure]:
    configs = {algorithm: ServerConfig(signer.key) for algorithm, signer in signers.items()}
    first = configs["RS256"]
    with (
        signers["RS256"].running(),
        signers["ES256"].running(),
        ControlPlane(folder / "cluster", pki, [first, first], loopback=True) as cluster,
    ):
        cluster.create_service_account("default", "probe")
        for algorithm, config in configs.items():
            cluster.restart(0, config)
            cluster.restart(1, dataclasses.replace(config, signing_endpoint=signers[algorithm].socket))
            rounds = [(_minted(cluster, 0, amount), _minted(cluster, 1, amount)) for _ in range(amount.signer_rounds)]
            shares = tuple(100 * through / direct for direct, through in rounds)
            least = Target(95, by="median", inclusive=True, at_least=True)
            yield Figure(f"TokenRequests {algorithm}, of those with a key file", "%", shares, least)
            yield Figure(f"TokenRequests {algorithm} with a key file", "1/s", tuple(direct for direct, _ in rounds))
            yield Figure(f"TokenRequests {algorithm} by the signer", "1/s", tuple(through for _, through in rounds))
        yield from _bounds(folder, cluster, configs["ES256"], amount)


def _bounds(folder: Path, cluster: ControlPlane, config: ServerConfig, amount: Amount) -> Iterator[Figure]:
    """Measure ES256 by a signer of grpc-go, and by one that has nothing to do: no signer can reach more."""
    for how, words in (("a signer of grpc-go", ("signs",)), ("grpc-go without signing, the bound", ())):
        with free_signer(folder / how.split(",")[0].replace(" ", "-"), config.signing_key, *words) as socket:
            cluster.restart(1, dataclasses.replace(config, signing_endpoint=socket))
            rounds = [(_minted(cluster, 0, amount), _minted(cluster, 1, amount)) for _ in range(amount.signer_rounds)]
        shares = tuple(100 * through / direct for direct, through in rounds)
        yield Figure(f"TokenRequests ES256 by {how}, of those with a key file", "%", shares)


def _minted(cluster: ControlPlane, index: int, amount: Amount) -> float:
    """Return how many tokens a second an API server gives to 8 clients."""
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(_client(cluster, index, amount.signer_s)))
        for _ in range(_STREAMS)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < _STREAMS:
        raise RuntimeError("a client failed")
    return sum(counts) / (time.monotonic() - began)


def _client(cluster: ControlPlane, index: int, seconds: float) -> int:
    server = cluster.servers[index]
    connection = http.client.HTTPSConnection(
        server.address, server.port, timeout=60, context=cluster.pki.client_context()
    )
    body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    headers = {"Authorization": f"Bearer {cluster.admin_token}", "Content-Type": "application/json"}
    count, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        connection.request("POST", _PATH, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.CREATED:
            raise RuntimeError(f"a TokenRequest was answered with {answer.status}")
        count += 1
    connection.close()
    return count
