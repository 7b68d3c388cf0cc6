"""What has not changed is not parsed anew: a full ledger costs the event loop no more than a moment, in every pass."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from oidc_publisher.documents import OwnerMark, differences, plan_documents, plan_writes, read_jwks_document
from oidc_publisher.keys import PublicKey
from oidc_publisher.reconcile.ownership import Stored, stored_reading
from tests.support.memorypass import memory_pass
from tests.support.signingkeys import signing_key

if TYPE_CHECKING:
    from tests.support.pki import PKI

#: By module and name: what a key costs each time.
PARSERS = (
    "oidc_publisher.keys.publickey.load_der_public_key",
    "oidc_publisher.documents.jwks.read_jwk",
    "oidc_publisher.documents.jwks.to_jwk",
)


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each parser was called."""
    counted = Counter[str]()

    def counting(path: str) -> Callable[..., Any]:
        module, _, name = path.rpartition(".")
        real = getattr(__import__(module, fromlist=[name]), name)

        def count(*arguments: Any, **options: Any) -> Any:
            counted[name] += 1
            return real(*arguments, **options)

        return count

    for path in PARSERS:
        monkeypatch.setattr(path, counting(path))
    return counted


async def test_a_pass_parses_what_has_changed_and_nothing_else(pki: PKI, tmp_path: Path, parses: Counter[str]) -> None:
    """Forty keys: no parse in a resting pass, and for one key that comes, the one that came, and the set that it changed."""
    async with memory_pass(pki, tmp_path) as world:
        world.write_keys([signing_key("P-256", f"parses {number}").public_pem for number in range(40)])
        for _ in range(2):
            await world.run()
        assert parses["load_der_public_key"] >= 40, "this test counts what it means to count"
        parses.clear()
        await world.run()
        assert parses == Counter()
        (tmp_path / "new.pub").write_bytes(signing_key("P-256", "parses new").public_pem)
        await world.run()
        assert len(world.api.raw["status"]["keys"]) == 41
        # Its entry, and its material when it is written as a JWK; the new set, once for the store and the wire together.
        assert parses == Counter(load_der_public_key=2, to_jwk=1, read_jwk=41)


#: What is asked of the stored documents and of the status, by its code: it counts wherever a module has it from.
ASKED = {
    read_jwks_document.__code__: "key set",
    OwnerMark.read.__func__.__code__: "mark",  # type: ignore[attr-defined]
    PublicKey.from_pem.__func__.__code__: "key of the status",  # type: ignore[attr-defined]
    vars(Stored)["standing"].func.__code__: "standing",
    stored_reading.__code__: "reading",
    differences.__code__: "differences",
    plan_documents.__code__: "planned",
    plan_writes.__code__: "writes",
}


@contextmanager
def asked() -> Iterator[Counter[str]]:
    """How often each was asked; of key sets those of the store alone, not what the probe fetched."""
    counted = Counter[str]()

    def count(frame: FrameType, event: str, _: object) -> None:
        what = ASKED.get(frame.f_code) if event == "call" else None
        caller = frame.f_back.f_globals["__name__"] if frame.f_back else ""
        if what is not None and not caller.startswith("oidc_publisher.probe"):
            counted[what] += 1

    sys.setprofile(count)
    try:
        yield counted
    finally:
        sys.setprofile(None)


async def test_what_is_stored_is_asked_once_after_each_reading(pki: PKI, tmp_path: Path) -> None:
    """A resting pass reads the store once; a pass that writes makes the value anew from what it wrote. The status is read once."""
    once = Counter(["key set", "mark", "mark", "standing", "reading", "differences", "planned"])
    async with memory_pass(pki, tmp_path) as world:
        world.write_keys([signing_key("P-256", "parses 0").public_pem])
        for _ in range(2):
            await world.run()
        with asked() as resting:
            await world.run()
        assert resting == once + Counter(["key of the status"])
        (tmp_path / "new.pub").write_bytes(signing_key("P-256", "parses new").public_pem)
        with asked() as writing:
            await world.run()
        assert len(world.api.raw["status"]["keys"]) == 2
        assert writing == once + once + Counter(["key of the status", "writes"])
