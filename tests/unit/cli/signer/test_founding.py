"""`signer found` and `signer rewrap`: a ring is founded once, and a Secret is wrapped under another key while signers run."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from oidc_publisher.cli.signer import founding
from oidc_publisher.signer.kube import KubeAccess, KubeRequestError
from oidc_publisher.signer.kube.kubeapi import KubeAnswer
from oidc_publisher.signer.ring import Ring
from oidc_publisher.signer.storage import DiskCopy, DiskFile, Plaintext, Wrapping, WrappingKey, from_secret, to_secret
from tests.support.commands import call
from tests.support.rings import NOW, key_id, ring_key, ring_of
from tests.support.signingkeys import signing_key

SECRET = "/api/v1/namespaces/kube-system/secrets/oidc-publisher-signing-keys"
SA_KEY = signing_key("P-256", "sa")
OLD, NEW = b"o" * 32, b"n" * 32
RING = ring_of(ring_key(2), ring_key(1, signed=NOW))


@dataclass(slots=True)
class Cluster:
    """A cluster with the Secret, and the SigningKeyRing if it has a status; `raced` are writes that a signer is before."""

    secret: dict[str, Any] = field(default_factory=lambda: {"metadata": {"resourceVersion": "1"}})
    ring: dict[str, Any] | None = None
    raced: int = 0
    refuses: int = 0

    def get(self, path: str) -> KubeAnswer:
        """Answer with an object."""
        if self.refuses:
            raise KubeRequestError(f"was answered with {self.refuses}", self.refuses)
        if path == SECRET:
            return KubeAnswer(self.secret, NOW)
        if self.ring is None:
            raise KubeRequestError("was answered with 404", 404)
        return KubeAnswer(self.ring, NOW)

    def send(self, method: str, path: str, body: Any) -> KubeAnswer:
        """Take the Secret by compare-and-swap."""
        assert (method, path) == ("PUT", SECRET)
        if self.raced:
            self.raced -= 1
            raise KubeRequestError("conflict", 409)
        assert body["metadata"]["resourceVersion"] == self.secret["metadata"]["resourceVersion"]
        self.secret = body | {"metadata": {"resourceVersion": "2"}}
        return KubeAnswer({}, NOW)

    def put(self, ring: Ring, wrapping: Wrapping) -> None:
        """Hold a ring."""
        data = {name: base64.b64encode(value).decode() for name, value in to_secret(ring, wrapping).items()}
        self.secret = {"metadata": {"resourceVersion": "1"}, "data": data}

    def read(self, wrapping: Wrapping) -> Ring:
        """The ring that the Secret holds."""
        data = {name: base64.b64decode(value) for name, value in self.secret["data"].items()}
        ring = from_secret(data, wrapping)
        assert ring is not None
        return ring


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    """A cluster whose Secret is empty, and in the present folder what the commands are given."""
    made = Cluster()
    monkeypatch.setattr(founding, "KubeApi", lambda _access: made)
    monkeypatch.setattr(KubeAccess, "read", lambda _path: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir()
    for name, content in (("sa.key", SA_KEY.private_pem), ("old", OLD), ("new", NEW), ("short", b"x")):
        (tmp_path / name).write_bytes(content)
    return made


FOUND = ("signer", "found", "--kubeconfig=c", "--state=state", "--import-key=sa.key", "--wrapping-key-file=sa.key")
REWRAP = ("signer", "rewrap", "--kubeconfig=c", "--new-wrapping-key-file=new")


def test_a_ring_is_founded_with_the_key_of_the_cluster(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """As version 1, wrapped, and nothing on the disk: the signer that starts writes that."""
    assert call(*FOUND) == 0
    said = f"The ring is founded, with key {SA_KEY.kid} as version 1. Start the signers now.\n"
    assert capsys.readouterr().out == said
    (key,) = cluster.read(WrappingKey.from_file(SA_KEY.private_pem)).keys
    assert (key.number, key.key_id, key.imported, key.signed_time) == (1, SA_KEY.kid, True, None)
    assert list(Path("state").iterdir()) == []


def test_a_ring_is_never_founded_twice(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither over one in the Secret, nor beside one on the disk, nor against another signer that does it now."""
    cluster.raced = 1
    assert call(*FOUND) == 1
    DiskFile(Path("state")).write(DiskCopy(RING, key_id(1)))
    assert call(*FOUND) == 1
    DiskFile(Path("state")).path.unlink()
    assert "data" not in cluster.secret
    cluster.put(RING, WrappingKey.from_file(SA_KEY.private_pem))
    assert call(*FOUND) == 1
    assert capsys.readouterr().out.count("There is a ring already") == 3
    assert cluster.read(WrappingKey.from_file(SA_KEY.private_pem)) == RING


def test_a_ring_that_was_is_looked_for_first(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Its disks may have it; and when all are lost its numbers are never used again (S2)."""
    cluster.ring = {"status": {"highest": "11"}}
    assert call(*FOUND) == 1
    assert "names versions up to 11" in capsys.readouterr().out
    assert "data" not in cluster.secret
    assert call(*FOUND, "--yes") == 0
    ring = cluster.read(WrappingKey.from_file(SA_KEY.private_pem))
    assert ([key.number for key in ring.keys], ring.highest) == ([12], 12)


def test_a_status_that_names_no_version_holds_nothing_up(cluster: Cluster) -> None:
    """The object is made before the signers are."""
    cluster.ring = {"status": {"highest": "?"}}
    assert call(*FOUND) == 0


def test_what_cannot_be_read_founds_nothing(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys are never invented because somebody may not look (S11)."""
    cluster.refuses = 403
    assert call(*FOUND) == 2
    cluster.refuses = 0
    assert call(*FOUND[:-1], "--wrapping-key-file=missing") == 2
    assert call(*FOUND[:-1], "--wrapping-key-file=short") == 2
    assert call(*FOUND[:-1]) == 2
    assert "data" not in cluster.secret
    said = capsys.readouterr().err
    assert "missing cannot be read: No such file or directory" in said
    assert "Give either --wrapping-key-file or --plaintext-secret." in said


def test_the_secret_is_wrapped_under_another_key(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of the ring changes but the count of its writes, and the former key opens nothing any more."""
    cluster.put(RING, WrappingKey.from_file(OLD))
    cluster.raced = 2
    assert call(*REWRAP, "--wrapping-key-file=old") == 0
    assert "The Secret is wrapped under new now." in capsys.readouterr().out
    ring = cluster.read(WrappingKey.from_file(NEW))
    assert (ring.keys, ring.lineage, ring.serial) == (RING.keys, RING.lineage, RING.serial + 1)
    with pytest.raises(Exception, match="has no seal under this wrapping key"):
        cluster.read(WrappingKey.from_file(OLD))
    before = cluster.secret
    assert call(*REWRAP, "--wrapping-key-file=old") == 0
    assert capsys.readouterr().out == "The Secret is wrapped under new already.\n"
    assert cluster.secret == before


def test_a_secret_in_plaintext_is_wrapped(cluster: Cluster) -> None:
    """Who began without a wrapping key gets one so."""
    cluster.put(RING, Plaintext())
    assert call(*REWRAP, "--plaintext-secret") == 0
    assert cluster.read(WrappingKey.from_file(NEW)).keys == RING.keys
    assert b"PRIVATE" not in b"".join(base64.b64decode(value) for value in cluster.secret["data"].values())


def test_a_key_that_opens_nothing_wraps_nothing(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """And an empty Secret has nothing to wrap."""
    cluster.put(RING, WrappingKey.from_file(b"third" * 8))
    before = cluster.secret
    assert call(*REWRAP, "--wrapping-key-file=old") == 2
    assert cluster.secret == before
    cluster.secret = {"metadata": {"resourceVersion": "1"}}
    assert call(*REWRAP, "--wrapping-key-file=old") == 1
    assert "The Secret is empty" in capsys.readouterr().out


def test_signers_that_are_always_faster(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """An end, and nothing changed."""
    cluster.put(RING, WrappingKey.from_file(OLD))
    cluster.raced = 100
    assert call(*REWRAP, "--wrapping-key-file=old") == 1
    assert "try once more" in capsys.readouterr().out
    assert cluster.read(WrappingKey.from_file(OLD)) == RING
