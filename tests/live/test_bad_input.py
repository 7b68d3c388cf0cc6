"""Bad input on a real cluster: each kind is named by its own reason under its own name, and the good keys are served."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.layouts import material
from tests.layouts.material import pem, rsa_public
from tests.live.places import served, wait_served
from tests.support.signingkeys import key_id, signing_key
from tests.support.stage import BUCKET, Object, Stage, condition

pytestmark = pytest.mark.timeout(240)

NAMESPACE = "default"
PATTERN = r"sa-(?P<version>[0-9]+)\.pub"
A, B, C, D = (signing_key("P-256", f"bad-input-{name}") for name in "abcd")
HALF = pem(rsa_public("half"))[:200]
STRAY = signing_key("P-256", "bad-input-stray")

#: What stands in entry sa-NUMBER.pub, and the reason that it must bring.
BAD: dict[int, tuple[bytes, str]] = {
    10: (b"hello", "EntryUnreadable"),
    11: (HALF, "EntryUnreadable"),
    12: (pem(material.ML_DSA_65), "KeyUnsupported"),
    13: (pem(material.ED25519), "KeyUnsupported"),
    14: (pem(material.ec_public("x", ec.SECP224R1)), "KeyUnsupported"),
    15: (pem(rsa_public("x", 1024)), "KeyUnsupported"),
    16: (STRAY.private_pem, "PrivateKeyInEntry"),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One API server, S3, and an operator that may read files."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as running:
        running.apply_crd()
        root = running.folder / "key-files"
        root.mkdir()
        running.operator = running.make_operator(f"--key-files-root={root}")
        running.operator.start()
        yield running


def test_every_bad_entry_has_its_reason_and_the_good_keys_are_served(stage: Stage) -> None:
    """Seven bad entries, a number twice, an empty source and a file of 10 MB, all at once."""
    contents = {f"sa-{number}.pub": content for number, (content, _) in BAD.items()}
    good = {"sa-1.pub": A.public_pem, "sa-3.pub": B.public_pem, "sa-003.pub": C.public_pem}
    write(stage, "bad", contents | good)
    write(stage, "empty", {})
    files = huge_file(stage.folder / "key-files")
    apply(stage, "bad", config_map("bad"), config_map("empty"), {"name": "files", "files": files})
    wait_served(stage, "bad", *(key.kid for key in (A, B, C, D)), within_s=20)
    status = stage.wait_for_reason("VersionReused", name="bad")["status"]
    found = {(f["subject"], f["reason"]) for f in status["findings"] if f["reason"] != "PrePublishShort"}
    where = f"ConfigMap {NAMESPACE}/bad"
    expected = {(f"{where}/sa-{number}.pub", reason) for number, (_, reason) in BAD.items()}
    expected |= {("3", "VersionReused"), (f"ConfigMap {NAMESPACE}/empty", "SourceEmpty")}
    expected |= {(f"folder {files['directory']}/sa-20.pub", "EntryUnreadable")}
    assert found >= expected
    assert {reason for _, reason in found - expected} <= {"PrePublishing"}, "and nothing else is said"
    assert condition(status, "Ready") == "False"
    assert condition(status, "Published") == "True"
    shown = json.dumps(stage.get("bad")) + stage.operator.log()
    assert not [line for line in STRAY.private_pem.decode().splitlines()[1:-1] if line in shown]


def test_above_ten_and_above_a_hundred_keys(stage: Stage) -> None:
    """Eleven are a warning; of 101 one waits, which is critical, and the issuer is Ready all the same."""
    ders = {f"sa-{number}.pub": rsa_public(f"many-{number}") for number in range(1, 102)}
    eleven = dict(list(ders.items())[:11])
    write(stage, "many", {name: pem(der) for name, der in eleven.items()})
    apply(stage, "many", config_map("many"))
    wait_served(stage, "many", *(key_id(der) for der in eleven.values()), within_s=20)
    stage.wait(lambda s: severity(s) == "Warning", what="TooManyKeys is a warning", name="many")
    write(stage, "many", {name: pem(der) for name, der in ders.items()})
    stage.wait(lambda s: severity(s) == "Critical", what="TooManyKeys is critical", name="many")
    # The warning is saved with the ledger before the write: then the others are Pending too, for a moment.
    stage.wait(lambda s: pending(s) == 1, what="one key waits", name="many")
    status = stage.wait_ready(name="many")["status"]
    assert len(status["keys"]) == 101
    assert pending(status) == 1
    assert len(served(stage, "many")) == status["publication"]["keyCount"] == 100
    assert served(stage, "many") >= {key_id(der) for der in eleven.values()}, "who was there stays"


def pending(status: Object) -> int:
    """How many keys wait."""
    return [key["state"] for key in status.get("keys", [])].count("Pending")


def severity(status: Object) -> str | None:
    """How bad TooManyKeys is, None without it."""
    found = status.get("findings", [])
    return next((str(f["severity"]) for f in found if f["reason"] == "TooManyKeys"), None)


def huge_file(root: Path) -> Object:
    """A folder with a good key and a file of 10 MB, as a source."""
    folder = root / "huge"
    folder.mkdir()
    (folder / "sa-19.pub").write_bytes(D.public_pem)
    (folder / "sa-20.pub").write_bytes(b"-----BEGIN PUBLIC KEY-----\n" * 400_000)
    return {"directory": str(folder), "entryPattern": PATTERN}


def write(stage: Stage, name: str, entries: Mapping[str, bytes]) -> None:
    """Make a ConfigMap hold exactly these."""
    data = {entry: content.decode() for entry, content in entries.items()}
    metadata = {"namespace": NAMESPACE, "name": name}
    stage.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def config_map(name: str) -> Object:
    """A ConfigMap as a source."""
    return {"name": name, "configMap": {"namespace": NAMESPACE, "name": name, "entryPattern": PATTERN}}


def apply(stage: Stage, name: str, *sources: Object) -> None:
    """An issuer of its own place with these sources."""
    place = {"issuerURL": stage.edge.public_url(BUCKET, name), "store": {"s3": stage.s3_spec(prefix=name)}}
    stage.apply(stage.issuer(name, **place, keySources=list(sources)))
