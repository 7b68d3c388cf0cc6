"""Both copies of a ring: what is written is read back, and what is damaged is refused by name and never read in part."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.findings import Reason
from oidc_publisher.signer.ring import Ring, Tombstone, settle
from oidc_publisher.signer.storage import (
    DiskCopy,
    Plaintext,
    RingUnreadableError,
    Wrapping,
    WrappingKey,
    from_disk,
    from_secret,
    to_disk,
    to_secret,
)
from tests.support.rings import NOW, copies, key_id, pair, ring_key, ring_of
from tests.support.signingkeys import signing_key

KEY = WrappingKey.from_file(b"k" * 32)
RINGS = copies().map(lambda ring: settle(ring)[0])
RING = ring_of(
    ring_key(10**30),
    ring_key(10, signed=NOW),
    ring_key(9, signed=NOW, verify_only=NOW, imported=True),
    gone=(Tombstone(8, key_id(8), withdrawn=True),),
)


@given(RINGS, st.sampled_from((KEY, Plaintext())))
def test_the_secret_is_read_as_it_was_written(ring: Ring, wrapping: Wrapping) -> None:
    """Wrapped and in plaintext."""
    assert from_secret(to_secret(ring, wrapping), wrapping) == ring


@given(RINGS, st.none() | st.just("kid"))
def test_the_disk_is_read_as_it_was_written(ring: Ring, signing: str | None) -> None:
    """With the key that signed last."""
    assert from_disk(to_disk(DiskCopy(ring, signing))) == DiskCopy(ring, signing)


def test_the_entries_have_the_names_of_versions() -> None:
    """Six digits, more where a number has more; nothing of a version that only verifies."""
    assert list(to_secret(RING, KEY)) == ["ring.json", "ring.seal", f"{10**30}.key", "000010.key"]
    assert list(to_secret(RING, Plaintext())) == ["ring.json", f"{10**30}.key", "000010.key"]


def test_the_secret_holds_no_private_half_in_the_clear() -> None:
    """Neither as it is nor in base64, whatever else stands there."""
    text = b"".join(to_secret(RING, KEY).values())
    for seed in (10, 10**30):
        private = pair(seed)[1].pkcs8
        scalar = private[36:68]
        assert scalar in private
        assert scalar not in text
        assert base64.b64encode(private)[8:-8] not in text


def test_an_empty_secret_is_no_ring() -> None:
    """As the installer makes it."""
    assert from_secret({}, KEY) is None


def _edit(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, bytes]], None]:
    """An edit of ring.json by somebody who may write the Secret of a signer that wraps nothing."""

    def edited(data: dict[str, bytes]) -> None:
        document = json.loads(data["ring.json"])
        change(document)
        data["ring.json"] = json.dumps(document).encode()

    return edited


DAMAGES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "no ring.json": (lambda data: data.pop("ring.json"), "has entries and no ring.json"),
    "truncated": (lambda data: data.update({"ring.json": data["ring.json"][:-9]}), "ring.json is not JSON"),
    "empty": (lambda data: data.update({"ring.json": b""}), "ring.json is empty"),
    "a later format": (_edit(lambda d: d.update(format=2)), "ring.json format is not 1"),
    "unknown member": (_edit(lambda d: d.update(more=1)), "ring.json more is not known"),
    "unknown member of a version": (_edit(lambda d: d["versions"][0].update(x=1)), r"versions\[0\]\.x is not known"),
    "no lineage": (_edit(lambda d: d.pop("lineage")), "lineage is missing"),
    "empty lineage": (_edit(lambda d: d.update(lineage="")), "lineage is empty"),
    "serial below nought": (_edit(lambda d: d.update(serial=-1)), "serial is negative"),
    "serial true": (_edit(lambda d: d.update(serial=True)), "serial is missing or not of the type number"),
    "highest a number": (_edit(lambda d: d.update(highest=10)), "highest is missing or not of the type text"),
    "version a word": (
        _edit(lambda d: d["versions"][1].update(version="ten")),
        r"versions\[1\]\.version has a version that is not a decimal number",
    ),
    "version an object": (_edit(lambda d: d["versions"].append("x")), r"versions\[3\] is not an object"),
    "one number twice": (_edit(lambda d: d["versions"][1].update(version=str(10**30))), "has a version twice"),
    "one key twice": (
        _edit(lambda d: d["tombstones"].append({"version": "1", "keyID": key_id(9), "withdrawn": False})),
        "has a keyID twice",
    ),
    "another kid": (_edit(lambda d: d["versions"][1].update(keyID="k")), r"keyID is not the thumbprint"),
    "another algorithm": (_edit(lambda d: d["versions"][1].update(algorithm="RS256")), "algorithm is not that of"),
    "no base64": (_edit(lambda d: d["versions"][1].update(publicKey="*")), "publicKey is not base64"),
    "no key": (_edit(lambda d: d["versions"][1].update(publicKey="AAAA")), "publicKey is no SubjectPublicKeyInfo"),
    "a day that is none": (
        _edit(lambda d: d["versions"][1].update(createdTime="2026-02-30T00:00:00Z")),
        "createdTime is not a time",
    ),
    "imported a text": (_edit(lambda d: d["versions"][1].update(imported="yes")), "imported is missing or not of"),
    "an entry too many": (lambda data: data.update({"000011.key": b"x"}), "000011.key belongs to no version"),
    "the key of a version that only verifies": (
        lambda data: data.update({"000009.key": data["000010.key"]}),
        "000009.key belongs to no version that can sign",
    ),
    "a foreign private key": (
        lambda data: data.update({"000010.key": signing_key("P-256", "foreign").private_pem}),
        "000010.key is not the private half of version 10",
    ),
    "an entry of nothing": (lambda data: data.update({"000010.key": b""}), "000010.key is not a private key in PEM"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_secret_is_refused_by_name(damage: str) -> None:
    """The message says which entry and where, and repeats nothing of it."""
    change, message = DAMAGES[damage]
    data = to_secret(RING, Plaintext())
    change(data)
    with pytest.raises(RingUnreadableError, match=message) as caught:
        from_secret(data, Plaintext())
    assert caught.value.reason is Reason.RingUnreadable
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize("damage", [name for name, _ in DAMAGES.items() if name != "no ring.json"])
def test_no_edit_of_a_sealed_secret_passes(damage: str) -> None:
    """Whoever writes the Secret without the wrapping key adds no key, and takes none away."""
    data = to_secret(RING, KEY)
    DAMAGES[damage][0](data)
    with pytest.raises(RingUnreadableError):
        from_secret(data, KEY)


def test_a_key_that_somebody_adds_is_not_believed() -> None:
    """A version that only verifies has no private half, and only the seal tells whose it is."""
    added = replace(RING, keys=(*RING.keys, ring_key(3, verify_only=NOW)))
    forged = to_secret(RING, KEY) | {"ring.json": to_secret(added, KEY)["ring.json"]}
    with pytest.raises(RingUnreadableError, match=r"ring\.json has no seal under this wrapping key"):
        from_secret(forged, KEY)
    for wrong in ({}, {"ring.seal": b""}, {"ring.seal": WrappingKey(b"x" * 32).seal(forged["ring.json"])}):
        with pytest.raises(RingUnreadableError, match="has no seal"):
            from_secret({k: v for k, v in forged.items() if k != "ring.seal"} | wrong, KEY)


def test_a_private_half_that_is_missing_is_not_a_version_that_is_missing() -> None:
    """The version stays and verifies; a disk that has the private half puts it back."""
    data = to_secret(RING, KEY)
    del data["000010.key"]
    ring = from_secret(data, KEY)
    assert ring is not None
    assert [(key.number, key.can_sign) for key in ring.keys] == [(10**30, True), (10, False), (9, False)]


@given(st.integers(0, len(to_disk(DiskCopy(RING))) - 2))
def test_a_disk_that_ends_early_is_refused(size: int) -> None:
    """Whatever a full disk or a crash leaves."""
    with pytest.raises(RingUnreadableError):
        from_disk(to_disk(DiskCopy(RING))[:size])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(more=1), "has not the members"),
        (lambda d: d.update(signingKeyID=1), "signingKeyID not a text"),
        (lambda d: d.update(privateKeys=[]), "privateKeys is not an object"),
        (lambda d: d["privateKeys"].update(k="x"), "privateKeys has a key of no version"),
        (lambda d: d["privateKeys"].update({key_id(10): 1}), "that of version 10 is not base64"),
        (lambda d: d["privateKeys"].update({key_id(10): "AAAA"}), "is no private key of version 10"),
        (lambda d: d["ring"].pop("lineage"), "ring: lineage is missing"),
        (lambda d: d.update(ring=3), "ring: it is not an object"),
    ],
)
def test_a_damaged_disk_is_refused_by_name(change: Callable[[dict[str, Any]], object], message: str) -> None:
    """The message names the member."""
    document = json.loads(to_disk(DiskCopy(RING)))
    change(document)
    with pytest.raises(RingUnreadableError, match=message):
        from_disk(json.dumps(document).encode())
