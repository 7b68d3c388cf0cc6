"""The signer as a process: what it serves before, with and without an API server (S10, S11)."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from oidc_publisher.signer import running
from oidc_publisher.signer.kube import KubeRequestError
from oidc_publisher.signer.kube.kubeapi import KubeAnswer
from oidc_publisher.signer.running import Signer, SignerSettings
from oidc_publisher.signer.server import SocketError
from oidc_publisher.signer.server.messages import ListedKey, fetch_keys_response
from oidc_publisher.signer.server.protobuf import bytes_field, fields
from oidc_publisher.signer.storage import DiskCopy, DiskFile, RingUnreadableError, WrappingKey, from_secret, to_secret
from tests.support.grpcclient import GrpcClient, Reply
from tests.support.rings import NOW, key_id, ring_key, ring_of
from tests.support.signingkeys import signing_key

SECRET = "/api/v1/namespaces/kube-system/secrets/oidc-publisher-signing-keys"
CLAIMS = bytes_field(1, "eyJzdWIiOiJhIn0")
SA_KEY = signing_key("P-256", "sa")


@dataclass(slots=True)
class ApiServer:
    """An API server that holds the Secret, and a SigningKeyRing that asks for nothing; `down`: nobody answers."""

    down: bool = False
    forbidden: str = ""
    secret: dict[str, Any] = field(default_factory=lambda: {"metadata": {"resourceVersion": "1"}})
    reports: list[Any] = field(default_factory=list)

    def get(self, path: str) -> KubeAnswer:
        """Answer with an object."""
        if self.down:
            raise KubeRequestError("GET got no answer: Connection refused")
        if path == self.forbidden:
            raise KubeRequestError(f"GET {path} was answered with 403: no", 403)
        if path == SECRET:
            return KubeAnswer(self.secret, NOW)
        return KubeAnswer({"spec": {}} if path.endswith("/default") else {"items": []}, NOW)

    def send(self, method: str, path: str, body: Any, content_type: str = "") -> KubeAnswer:
        """Take an object by compare-and-swap."""
        del content_type
        if method == "PATCH":
            self.reports.append((path, body))
        elif body["metadata"]["resourceVersion"] != self.secret["metadata"]["resourceVersion"]:
            raise KubeRequestError("conflict", 409)
        else:
            version = str(int(body["metadata"]["resourceVersion"]) + 1)
            self.secret = body | {"metadata": {"resourceVersion": version}}
        return KubeAnswer({}, NOW)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """The API server that every signer of a test asks, ten times a second."""
    made = ApiServer()
    monkeypatch.setattr(running, "KubeApi", lambda _access: made)
    monkeypatch.setattr(running, "LOOK_S", 0.1)
    monkeypatch.setattr(running, "AGAIN_S", 0.1)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> SignerSettings:
    """A node with an empty disk, and the cluster's key."""
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority": "ca"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    (tmp_path / "sa.key").write_bytes(SA_KEY.private_pem)
    state = tmp_path / "state"
    state.mkdir()
    return SignerSettings(
        tmp_path / "s.sock", state, tmp_path / "kubeconfig", "a", tmp_path / "sa.key", tmp_path / "sa.key"
    )


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - the condition is another thread's
            await asyncio.sleep(0.01)


def run(settings: SignerSettings, work: Callable[[], Awaitable[None]]) -> None:
    """Run a signer until `work` is done, then ask it to stop."""

    async def both() -> None:
        serving = asyncio.create_task(Signer(settings).run())
        try:
            await work()
        finally:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.wait_for(serving, 10)

    asyncio.run(both())


async def call(settings: SignerSettings, name: str, message: bytes = b"") -> Reply:
    async with GrpcClient.connected(settings.socket) as client:
        return await client.call(name, message)


def listed(reply: Reply) -> list[bytes]:
    """The key IDs of a FetchKeysResponse."""
    keys = [value for number, value in fields(reply.message) if number == 1 and isinstance(value, bytes)]
    return [bytes(dict(fields(key))[1]) for key in keys]


def test_a_cluster_is_founded_with_its_own_key(server: ApiServer, settings: SignerSettings) -> None:
    """The Secret was read and is empty: the key of the cluster becomes version 1, and signs."""

    async def work() -> None:
        await until(settings.socket.exists)
        signed = await call(settings, "Sign", CLAIMS)
        assert signed.status == 0
        assert listed(await call(settings, "FetchKeys")) == [SA_KEY.kid.encode()]
        await until(lambda: bool(server.reports))

    run(settings, work)
    data = {name: base64.b64decode(value) for name, value in server.secret["data"].items()}
    ring = from_secret(data, WrappingKey.from_file(SA_KEY.private_pem))
    assert ring is not None
    assert [(key.number, key.key_id, key.imported, key.can_sign) for key in ring.keys] == [(1, SA_KEY.kid, True, True)]
    assert DiskFile(settings.state).read() == DiskCopy(ring, SA_KEY.kid)
    path, body = server.reports[-1]
    assert "fieldManager=oidc-publisher-signer-a" in path
    assert body["status"]["signers"][0]["apiServer"] == "10.0.0.1:6443"


def test_a_disk_is_served_without_any_api_server(server: ApiServer, settings: SignerSettings) -> None:
    """The API server boots by it: keys are there at once, and data_timestamp is when they were last read."""
    server.down = True
    keys = (ring_key(2), ring_key(1, signed=NOW))
    disk = DiskFile(settings.state)
    disk.write(DiskCopy(ring_of(*keys), key_id(1)))

    async def work() -> None:
        await until(settings.socket.exists)
        reply = await call(settings, "FetchKeys")
        assert listed(reply) == [key_id(2).encode(), key_id(1).encode()]
        assert (await call(settings, "Metadata")).status == 0
        server.down = False
        begun = time.monotonic()
        assert (await call(settings, "Sign", CLAIMS)).status == 0
        assert time.monotonic() - begun < 9, "the ring was read, which the first signature waits for"

    run(settings, work)
    assert server.secret["data"], "the Secret, which was empty, has the ring of the disk again"


def test_without_a_ring_there_is_no_socket_and_the_reason_is_said_once(
    server: ApiServer, settings: SignerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys are never invented: without --import-key nothing is founded, and no error repeats each second."""
    alone = SignerSettings(settings.socket, settings.state, settings.kubeconfig, "a", settings.wrapping_key_file)

    async def work() -> None:
        await until(lambda: "There is no ring of signing keys" in caplog.text)
        looks = 5
        await asyncio.sleep(0.1 * looks)
        assert not settings.socket.exists()

    run(alone, work)
    assert caplog.text.count("There is no ring of signing keys") == 1
    assert "data" not in server.secret


def test_a_trouble_is_said_and_its_end(
    server: ApiServer, settings: SignerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Signing goes on meanwhile."""
    caplog.set_level(logging.INFO)

    async def work() -> None:
        await until(settings.socket.exists)
        server.down = True
        await until(lambda: "got no answer" in caplog.text)
        assert (await call(settings, "Sign", CLAIMS)).status == 0
        server.down = False
        await until(lambda: "The ring is read again." in caplog.text)

    run(settings, work)
    assert f"Tokens are signed with version 1, key {SA_KEY.kid}." in caplog.text
    assert "PRIVATE" not in caplog.text


def test_a_look_that_failed_is_repeated_sooner_than_others(
    server: ApiServer, settings: SignerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start of a control plane the first signature waits for the ring, and so for this."""
    monkeypatch.setattr(running, "LOOK_S", 600)
    server.down = True

    async def work() -> None:
        await asyncio.sleep(0.3)
        server.down = False
        await until(settings.socket.exists)

    run(settings, work)


def test_another_ring_in_the_secret_is_reported_and_signing_goes_on(
    server: ApiServer, settings: SignerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """S4: in this signer's own entry of the status and in Ready, since it has nothing to say of that ring."""
    disk = DiskFile(settings.state)
    disk.write(DiskCopy(ring_of(ring_key(1, signed=NOW)), key_id(1)))
    other = to_secret(
        replace(ring_of(ring_key(5, signed=NOW)), lineage="another"), WrappingKey.from_file(SA_KEY.private_pem)
    )
    encoded = {name: base64.b64encode(value).decode() for name, value in other.items()}
    server.secret = {"metadata": {"resourceVersion": "5"}, "data": encoded}

    async def work() -> None:
        await until(lambda: bool(server.reports))
        assert listed(await call(settings, "FetchKeys")) == [key_id(1).encode()]

    run(settings, work)
    ((_, body),) = server.reports
    assert sorted(body["status"]) == ["conditions", "signers"]
    (ready,) = body["status"]["conditions"]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "RingReplaced")
    assert body["status"]["signers"][0]["findings"] == ["RingReplaced"]
    assert server.secret["metadata"]["resourceVersion"] == "5"
    assert "another ring of signing keys" in caplog.text


def test_a_signer_without_any_ring_says_so_in_the_status(server: ApiServer, settings: SignerSettings) -> None:
    """Nobody may log in on that node to read the log, and the API server beside it does not even start."""
    alone = SignerSettings(settings.socket, settings.state, settings.kubeconfig, "a", settings.wrapping_key_file)

    async def work() -> None:
        await until(lambda: bool(server.reports))

    run(alone, work)
    entry = server.reports[0][1]["status"]["signers"][0]
    assert (entry["findings"], entry.get("version")) == (["RingUnreadable"], None)
    assert "There is no ring of signing keys" in server.reports[0][1]["status"]["conditions"][0]["message"]


def test_a_secret_that_may_not_be_read_is_reported(server: ApiServer, settings: SignerSettings) -> None:
    """By a signer that goes on from its disk; everything else answers it."""
    DiskFile(settings.state).write(DiskCopy(ring_of(ring_key(1, signed=NOW)), key_id(1)))
    server.forbidden = SECRET

    async def work() -> None:
        await until(lambda: bool(server.reports))

    run(settings, work)
    status = server.reports[0][1]["status"]
    assert (status["signers"][0]["findings"], status["signers"][0]["version"]) == (["RingUnreadable"], "1")
    assert "was answered with 403" in status["conditions"][0]["message"]


def test_a_wrapping_key_that_was_changed_on_one_node_is_reported(server: ApiServer, settings: SignerSettings) -> None:
    """What the others write has no seal that this node knows; it goes on from its disk, and writes nothing there."""
    DiskFile(settings.state).write(DiskCopy(ring_of(ring_key(1, signed=NOW)), key_id(1)))
    others = to_secret(ring_of(ring_key(2), ring_key(1, signed=NOW)), WrappingKey.from_file(b"another" * 9))
    encoded = {name: base64.b64encode(value).decode() for name, value in others.items()}
    server.secret = {"metadata": {"resourceVersion": "5"}, "data": encoded}

    async def work() -> None:
        await until(lambda: bool(server.reports))
        assert listed(await call(settings, "FetchKeys")) == [key_id(1).encode()]

    run(settings, work)
    status = server.reports[0][1]["status"]
    assert (status["signers"][0]["findings"], status["signers"][0]["version"]) == (["RingUnreadable"], "1")
    assert "has no seal under this wrapping key" in status["conditions"][0]["message"]
    assert server.secret["metadata"]["resourceVersion"] == "5"


def test_a_signer_that_serves_is_watched(
    server: ApiServer, settings: SignerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its first offer on, until it is asked to stop; it says itself whether a Sign would wait for the ring."""
    assert not server.down
    watches: list[tuple[Path, bool, threading.Event]] = []

    class Watch:
        def __init__(self, socket: Path, waits: Callable[[], bool], ending: threading.Event) -> None:
            self.seen = socket, waits, ending

        def watch(self) -> None:
            socket, waits, ending = self.seen
            watches.append((socket, waits(), ending))

    monkeypatch.setattr(running, "Liveness", Watch)

    async def work() -> None:
        await until(lambda: bool(watches))
        assert not watches[0][2].is_set()

    run(settings, work)
    ((socket, waits, ending),) = watches
    assert (socket, waits) == (settings.socket, False)
    assert ending.is_set()


def test_the_signer_may_call_itself_whoever_else_may(server: ApiServer, settings: SignerSettings) -> None:
    """It looks in this way whether it is alive."""
    assert not server.down
    assert running._allowed(replace(settings, allowed_uids=frozenset({12345}))) == frozenset({12345, os.getuid()})
    assert running._allowed(settings) is None


def test_a_damaged_disk_is_kept_and_the_ring_read(
    server: ApiServer, settings: SignerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a node with an empty one."""
    assert server.reports == []
    (settings.state / "ring.json").write_text("{")

    async def work() -> None:
        await until(settings.socket.exists)
        assert (await call(settings, "Sign", CLAIMS)).status == 0

    run(settings, work)
    assert "is damaged, and is kept as ring.json.damaged-1" in caplog.text


def test_a_look_that_fails_in_an_unknown_way_ends_nothing(
    server: ApiServer, settings: SignerSettings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the kind of the error is said, because its text may hold anything."""

    async def work() -> None:
        await until(settings.socket.exists)
        monkeypatch.setattr(running, "sight_of", _fails)
        await until(lambda: "A look failed: ZeroDivisionError" in caplog.text)
        assert (await call(settings, "Sign", CLAIMS)).status == 0

    run(settings, work)
    assert server.secret["data"]
    assert "PRIVATE KEY" not in caplog.text


def _fails(*_: object, **__: object) -> None:
    raise ZeroDivisionError("PRIVATE KEY")


def test_a_socket_that_cannot_be_made_ends_the_process(server: ApiServer, settings: SignerSettings) -> None:
    """With the reason and not with success: a signer without a socket helps nobody, and its supervisor shows how it ends."""
    assert not server.down
    nowhere = settings.socket.parent / "missing" / "s.sock"
    lost = SignerSettings(
        nowhere, settings.state, settings.kubeconfig, "a", settings.wrapping_key_file, settings.import_key
    )
    with pytest.raises(SocketError, match="cannot be made: No such file or directory"):
        asyncio.run(asyncio.wait_for(Signer(lost).run(), 30))


@pytest.mark.parametrize("missing", ["wrapping", "import"])
def test_a_file_that_is_missing_is_named(
    server: ApiServer, settings: SignerSettings, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The wrapping key is read before anything begins, the key to import when it is needed."""
    assert not server.down
    gone = settings.state / "gone.key"
    if missing == "wrapping":
        lost = SignerSettings(settings.socket, settings.state, settings.kubeconfig, "a", gone)
        with pytest.raises(RingUnreadableError, match=r"gone\.key cannot be read: No such file"):
            Signer(lost)
        return
    lost = SignerSettings(settings.socket, settings.state, settings.kubeconfig, "a", None, gone)

    async def work() -> None:
        await until(lambda: "gone.key cannot be read" in caplog.text)

    run(lost, work)


def test_no_core_of_the_process_is_written(settings: SignerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold every private half."""
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limit: limits.append((kind, limit)))
    monkeypatch.setattr(running.Signer, "run", _nothing)
    running.run_signer(settings)
    assert limits == [(resource.RLIMIT_CORE, (0, 0))]


async def _nothing(_self: Signer) -> None:
    """Serve nobody."""


def test_each_node_has_a_jitter_of_its_own() -> None:
    """The same after each start."""
    jitters = [running._jitter(node) for node in ("a", "b", "c")]
    assert jitters == [running._jitter(node) for node in ("a", "b", "c")]
    assert len(set(jitters)) == 3
    assert all(0 <= jitter < 1 for jitter in jitters)


def test_the_helper_reads_what_a_response_lists() -> None:
    """The tests above would pass over an empty list otherwise."""
    reply = Reply()
    message = fetch_keys_response([ListedKey("k", b"spki")], NOW, timedelta(seconds=1))
    reply.data += b"\0" + len(message).to_bytes(4) + message
    assert listed(reply) == [b"k"]
