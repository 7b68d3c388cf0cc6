"""What a store's answers mean for the lines of an OIDCIssuer."""

from __future__ import annotations

from oidc_publisher.cli.check.issuerchecks import store_lines
from oidc_publisher.cli.check.lines import CheckResult
from oidc_publisher.documents import DISCOVERY_PATH, StoredDocument
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.memory import MemoryStore
from oidc_publisher.stores.port import Rehearsal
from tests.support.builders import DOCUMENT

JWKS = "openid/v1/jwks"
PATHS = (JWKS, DISCOVERY_PATH)


class Failing(MemoryStore):
    """A store some of whose operations fail."""

    def __init__(self, **failures: Reason) -> None:
        super().__init__()
        self.failures = failures
        self.rehearsed: list[str] = []
        self.shown = Rehearsal.REFUSED_BY_CONDITION

    def _fail(self, operation: str) -> None:
        if operation in self.failures:
            raise StoreError(self.failures[operation], f"{operation} fails", hint="Mend it.")

    async def read(self, path: str) -> StoredDocument | None:
        """Fail or read."""
        self._fail("read")
        return await super().read(path)

    async def rehearse(self, path: str) -> Rehearsal:
        """Fail or show."""
        self.rehearsed.append(path)
        self._fail("rehearse")
        return self.shown

    async def identity(self) -> str:
        """Fail or say."""
        self._fail("identity")
        return "somebody"


async def results(store: MemoryStore) -> dict[str, CheckResult]:
    """The result of each line."""
    lines, _ = await store_lines(store, PATHS)
    return {line.check: line.result for line in lines}


async def test_all_is_well() -> None:
    """Five lines and the identity, which comes first for people."""
    found = await results(Failing())
    assert list(found) == [
        "identity at memory://",
        *(f"{verb} {path}" for path in PATHS for verb in ("read", "write")),
        "conditional writes",
    ]
    assert set(found.values()) == {CheckResult.YES}


async def test_nothing_is_published_before_both_documents_are_stored() -> None:
    """The public URL is held to it only then."""
    store = MemoryStore()
    for path, published in zip(PATHS, (False, True), strict=True):
        await store.write(path, DOCUMENT, expected=None)
        assert (await store_lines(store, PATHS))[1] is published


async def test_what_cannot_be_read_is_not_written() -> None:
    """One cause is one line for each document; nothing is said about what was not tried."""
    store = Failing(read=Reason.AccessDenied)
    found = await results(store)
    assert store.rehearsed == []
    assert found == {"identity at memory://": CheckResult.YES} | {f"read {path}": CheckResult.NO for path in PATHS}


async def test_a_store_that_is_away_is_no_answer() -> None:
    """Whether the operator may write there is open."""
    found = await results(Failing(read=Reason.StoreUnavailable, identity=Reason.StoreUnavailable))
    assert [found[f"read {path}"] for path in PATHS] == [CheckResult.NO_ANSWER] * 2
    assert found["identity at memory://"] is CheckResult.WARNING  # STS alone may be away


async def test_missing_credentials_and_rights_are_no() -> None:
    """Each in its own line."""
    found = await results(Failing(rehearse=Reason.AccessDenied, identity=Reason.CredentialsMissing))
    assert found["identity at memory://"] is CheckResult.NO
    assert [found[f"write {path}"] for path in PATHS] == [CheckResult.NO] * 2
    assert "conditional writes" not in found


async def test_conditions_that_nothing_shows_are_a_warning() -> None:
    """And never a yes."""
    store = Failing()
    store.shown = Rehearsal.UNDECIDED
    assert (await results(store))["conditional writes"] is CheckResult.WARNING


async def test_a_server_that_ignores_conditions_is_no() -> None:
    """The rehearsal itself fails then."""
    found = await results(Failing(rehearse=Reason.ConditionalWritesUnsupported))
    assert {found[f"write {path}"] for path in PATHS} == {CheckResult.NO}
