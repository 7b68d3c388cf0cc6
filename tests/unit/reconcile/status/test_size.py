"""A status that etcd would refuse is cut to fit, and whoever reads it learns so: a Ready of yesterday never stays for ever."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from oidc_publisher.api import OIDCIssuerStatus, StatusFinding, read_issuer, to_status_json
from oidc_publisher.findings import CATALOGUE, MAX_SENTENCE, ConditionType, Finding, Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.reconcile.status.ledger import keys_of
from oidc_publisher.reconcile.status.size import MAX_STATUS_BYTES, fitted, stored_bytes
from oidc_publisher.reconcile.status.summary import Summary, summarise
from oidc_publisher.rotation import Ledger, LedgerKey, Origin
from tests.support.memorypass import memory_pass
from tests.support.signingkeys import signing_key

if TYPE_CHECKING:
    from tests.support.pki import PKI

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KEY = PublicKey.from_pem(signing_key("RSA-2048").public_pem.decode())
FEW = LedgerKey(KEY, 1, NOW, timedelta(hours=1), timedelta(hours=1), origins=(Origin("a", "1.pub"),))


OBJECT = {
    "metadata": {"name": "prod", "uid": "u", "generation": 1, "resourceVersion": "1"},
    "spec": {
        "issuerURL": "https://oidc.example.com",
        "store": {"s3": {"bucket": "example-oidc", "region": "eu-central-1"}},
    },
}


def status(entry: LedgerKey, count: int, findings: tuple[StatusFinding, ...] = ()) -> OIDCIssuerStatus:
    """A status with `count` keys like this one."""
    entries = (replace(entry, key=replace(KEY, key_id=f"kid-{number}")) for number in range(count))
    return OIDCIssuerStatus(keys=keys_of(Ledger(keys=tuple(entries))), findings=findings)


def test_a_status_that_fits_is_left_as_it_is() -> None:
    """512 keys of the usual kind, with everything that is known of them."""
    whole = status(FEW, 512)
    assert fitted(whole, OIDCIssuerStatus(), NOW) == (whole, to_status_json(whole))


def test_names_of_entries_go_first_and_every_source_stays() -> None:
    """An origin decides when a key retires: which sources list it must not be lost, and no time is touched."""
    many = tuple(Origin(source, f"{'x' * 200}-{n}.pub") for source in ("a", "b") for n in range(8))
    whole = status(replace(FEW, origins=many), 512)
    cut, wanted = fitted(whole, OIDCIssuerStatus(), NOW)
    assert wanted == to_status_json(cut)
    assert stored_bytes(to_status_json(whole)) > MAX_STATUS_BYTES >= stored_bytes(to_status_json(cut))
    assert {tuple((o.source, o.entry) for o in key.origins) for key in cut.keys} == {(("a", None), ("b", None))}
    assert [key.model_copy(update={"origins": ()}) for key in cut.keys] == [
        key.model_copy(update={"origins": ()}) for key in whole.keys
    ]
    (said,) = cut.findings
    assert (said.reason, said.severity, said.since_time) == ("TooManyKeys", "Warning", NOW)
    assert fitted(whole, cut, LATER)[0].findings == cut.findings, "a time that moved would be a PATCH each time"


def test_then_the_tail_of_the_findings_goes() -> None:
    """The root causes stay, shortened, and each says what to do."""
    long = StatusFinding(reason="EntryUnreadable", severity="Warning", message="m" * 30_000, advice="a" * 30_000)
    tail = (long.model_copy(update={"advice": None}), *[long] * 31)
    cut, _ = fitted(status(FEW, 512, tail), OIDCIssuerStatus(), NOW)
    assert stored_bytes(to_status_json(cut)) <= MAX_STATUS_BYTES
    assert [f.reason for f in cut.findings] == ["EntryUnreadable"] * 8 + ["TooManyKeys"]
    assert [len(f.message) for f in cut.findings[:8]] == [512] * 8
    assert [f.advice and len(f.advice) for f in cut.findings[:8]] == [None, *[512] * 7]
    assert cut.findings[-1].advice == CATALOGUE[Reason.TooManyKeys].hint
    assert len(cut.keys) == 512


async def test_a_key_in_thousands_of_entries_is_reported_all_the_same(pki: PKI, tmp_path: Path) -> None:
    """Origins have no end in any source: the status has, and it is written."""
    long = "{:04}-" + "x" * 200 + ".pub"
    async with memory_pass(pki, tmp_path) as world:
        world.write_keys([signing_key().public_pem] * 2000, name=long.format)
        await world.run()
        assert world.api.refused == 0
        assert world.api.condition("Published")[0] == "True"
        (key,) = world.api.raw["status"]["keys"]
        assert key["origins"] == [{"source": "files"}]


async def test_a_status_that_is_refused_as_too_large_does_not_leave_an_old_yes(pki: PKI, tmp_path: Path) -> None:
    """An etcd with a smaller limit, or an object full of annotations: Ready says so, and nothing is written beforehand."""
    async with memory_pass(pki, tmp_path) as world:
        world.write_keys([signing_key().public_pem])
        await world.run()
        assert world.api.condition("Published")[0] == "True"
        world.api.limit = len(json.dumps(world.api.raw)) + 2_000
        world.write_keys([signing_key("RSA-2048", str(n % 2)).public_pem for n in range(2)])
        outcome = await world.run()
        assert outcome.failed
        assert world.api.refused > 0
        assert world.api.condition("Ready") == ("Unknown", "InternalError")
        said = next(f for f in world.api.raw["status"]["findings"] if f["reason"] == "InternalError")
        assert "request is too large" in said["message"]
        assert b"RS256" not in world.store.documents["openid/v1/jwks"].document.body, "R12: not before it is saved"


def test_a_message_is_never_longer_than_a_condition_may_be() -> None:
    """The API server answers 422 to one above 32,768 characters, for ever. What a step achieved has no other bound."""
    endless = Finding.of(Reason.SourceNotFound, "x" * 100_000, hint="y" * 100_000)
    achieved = {ConditionType.SERVED: "z" * 100_000}
    found = summarise(read_issuer(OBJECT), Summary(findings=(endless,), achieved=achieved), NOW)
    assert {(len(f.message), len(f.advice or "")) for f in found.findings} == {(4_096, 1_024)}
    lengths = {c.type: len(c.message) for c in found.conditions if c.reason in ("SourceNotFound", "Succeeded")}
    assert lengths == dict.fromkeys(("Ready", "KeysRead", "Served", "Reconciling"), MAX_SENTENCE)
    assert MAX_SENTENCE <= 32_768
