"""What has not changed is not parsed anew: a full ledger costs the event loop no more than a moment, in every pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

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
