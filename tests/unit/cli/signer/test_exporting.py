"""`signer export`: the way back to key files, on which nothing that is visible may change."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from oidc_publisher.keys import PublicKey
from oidc_publisher.signer.keypairs import make_pair, read_pair
from oidc_publisher.signer.storage import DiskCopy, DiskFile
from tests.support.commands import call
from tests.support.rings import NOW, key_id, ring_key, ring_of

#: Version 3 waits, version 2 signs, and version 1 only verifies.
RING = ring_of(ring_key(3), ring_key(2, signed=NOW), ring_key(1, signed=NOW, verify_only=NOW, imported=True))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The folder of a node that signs with version 2."""
    folder = tmp_path / "state"
    folder.mkdir()
    DiskFile(folder).write(DiskCopy(RING, key_id(2)))
    return folder


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def export(state: Path, into: Path) -> int:
    return call("signer", "export", "--state", str(state), "--into", str(into))


def _key_ids(pem: bytes) -> list[str]:
    """The key IDs of all blocks, as kube-apiserver computes them."""
    end = b"-----END PUBLIC KEY-----\n"
    blocks = [block + end for block in pem.split(end) if block]
    return [PublicKey.of(serialization.load_pem_public_key(block)).key_id for block in blocks]


def test_the_files_sign_and_verify_as_the_signer_does(
    state: Path, into: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the version that signs and not with the newest; tokens of every version stay valid."""
    assert export(state, into) == 0
    public, _ = read_pair((into / "sa.key").read_bytes())
    assert public.key_id == key_id(2)
    assert _key_ids((into / "sa.pub").read_bytes()) == [key_id(2), key_id(3), key_id(1)]
    said = capsys.readouterr().out
    assert said == f"{into}/sa.key is version 2, key {key_id(2)}. {into}/sa.pub has 3 public keys.\n"


def test_only_the_owner_may_read_the_private_key(state: Path, into: Path) -> None:
    """As kubeadm leaves its own; the public file is for everybody."""
    export(state, into)
    modes = [(into / name).stat().st_mode & 0o777 for name in ("sa.key", "sa.pub")]
    assert modes[0] == 0o600
    assert not modes[1] & 0o022


def test_an_rsa_key_is_written_as_kubeadm_writes_it(state: Path, into: Path) -> None:
    """In the form that every component of Kubernetes has always read."""
    public, private = make_pair("RS256")
    ring = ring_of(ring_key(1, signed=NOW)).with_new(public, private, at=NOW)
    DiskFile(state).write(DiskCopy(ring, public.key_id))
    assert export(state, into) == 0
    pem = (into / "sa.key").read_bytes()
    assert pem.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert isinstance(serialization.load_pem_private_key(pem, None), rsa.RSAPrivateKey)


@pytest.mark.parametrize("name", ["sa.key", "sa.pub"])
def test_no_file_is_replaced(state: Path, into: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The file that is there may be the wrapping key, without which the Secret is lost."""
    (into / name).write_text("mine")
    assert export(state, into) == 1
    assert [path.name for path in into.iterdir()] == [name]
    assert (into / name).read_text() == "mine"
    assert "Nothing was written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("copy", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (DiskCopy(RING, None), "no private half of the version that this node signs with"),
        (DiskCopy(RING, key_id(1)), "no private half of the version that this node signs with"),
    ],
    ids=["no ring", "never signed", "only verifies"],
)
def test_without_the_key_that_signs_nothing_is_written(
    state: Path, into: Path, copy: DiskCopy | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another key would be refused by those who do not know it yet."""
    (state / "ring.json").unlink()
    if copy is not None:
        DiskFile(state).write(copy)
    assert export(state, into) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "PRIVATE" not in printed.out + printed.err
    assert list(into.iterdir()) == []
