"""Bad input: each kind has its own reason, blocks nothing but itself, and the good keys are listed."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from oidc_publisher.findings import Reason, Severity
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Listing, SourceReading
from tests.layouts import material
from tests.layouts.material import kid, pem, rsa_private_pem, rsa_public
from tests.simulation.scenario import HOUR, T0
from tests.support.apistub import refuses
from tests.support.sourcereading import (
    config_map,
    listed,
    planned,
    published,
    read_config_map,
    read_object,
    reasons,
    secret,
)

if TYPE_CHECKING:
    from tests.support.pki import PKI

PATTERN = r"service-account-(?P<version>[0-9]+)\.pub"
GOOD = {"service-account-001.pub": pem(rsa_public("good")).decode()}
GOOD_KID = kid(rsa_public("good"))
BAD = "service-account-002.pub"


@dataclass(frozen=True)
class Bad:
    """What a bad entry holds and brings: its reason, whether its former keys are kept, and what the finding says."""

    content: str
    reason: str
    unreadable: bool = True
    says: str = ""


def spki(der: bytes) -> str:
    """A PEM block of it."""
    return pem(der).decode()


BAD_ENTRIES = {
    "no key at all": Bad("hello", "EntryUnreadable", says="holds no PEM block"),
    "a truncated key": Bad(spki(rsa_public("x"))[:200], "EntryUnreadable", says="is not whole"),
    "an error page": Bad("<html><body>503</body></html>", "EntryUnreadable"),
    "blank": Bad("\n", "EntryUnreadable"),
    "10 MB": Bad("-----BEGIN PUBLIC KEY-----\n" * 400_000, "EntryUnreadable", says="larger than 1024 KiB"),
    "PKCS#1": Bad(spki(rsa_public("x")[24:]), "EntryUnreadable", says="PKCS#1"),
    "ML-DSA": Bad(spki(material.ML_DSA_65), "KeyUnsupported", unreadable=False),
    "Ed25519": Bad(spki(material.ED25519), "KeyUnsupported", unreadable=False),
    "a type of tomorrow": Bad(
        spki(material.of_unknown_type("1.3.6.1.4.1.99999.1", b"?")), "KeyUnsupported", unreadable=False
    ),
    "P-224": Bad(spki(material.ec_public("x", ec.SECP224R1)), "KeyUnsupported", unreadable=False, says="P-224"),
    "RSA-1024": Bad(spki(rsa_public("x", 1024)), "KeyUnsupported", unreadable=False, says="1024 bits"),
    "a private key": Bad(rsa_private_pem().decode(), "PrivateKeyInEntry", says="holds a private key"),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
@pytest.mark.parametrize("kind", ["configMap", "secret"])
async def test_a_bad_entry_blocks_only_itself(pki: PKI, kind: str, name: str) -> None:
    """R4: its own reason under its own name, the good key listed, and the source complete."""
    bad = BAD_ENTRIES[name]
    data = {**GOOD, BAD: bad.content}
    answer = config_map(data)
    if kind == "secret":
        answer = secret({n: base64.b64encode(c.encode()).decode() for n, c in data.items()})
    began = time.process_time()
    (result,) = await read_object(pki, kind, PATTERN, answer)
    assert time.process_time() - began < 2
    assert reasons(result) == {BAD: bad.reason}
    assert bad.says in result.findings[0].message
    assert len(result.findings[0].message) < 500
    assert listed(result) == {GOOD_KID: 1}
    assert (result.reading.complete, bool(result.reading.unreadable)) == (True, bad.unreadable)


@pytest.mark.parametrize("name", BAD_ENTRIES)
async def test_an_entry_that_turns_bad_keeps_its_own_keys(pki: PKI, name: str) -> None:
    """R4: unless it is known what it holds; and an entry that is gone delists its key whatever else is bad."""
    bad = BAD_ENTRIES[name]
    gone = {"service-account-003.pub": spki(rsa_public("gone"))}
    before, after = await read_object(
        pki,
        "configMap",
        PATTERN,
        config_map({**GOOD, BAD: spki(rsa_public("former")), **gone}),
        config_map({**GOOD, BAD: bad.content}),
    )
    plan = planned(after, before=planned(before).ledger, hours=1)
    kept = {entry.key_id: entry.unused_since_time is None for entry in plan.ledger.keys}
    assert kept == {
        GOOD_KID: True,
        kid(rsa_public("former")): bad.unreadable,
        kid(rsa_public("gone")): False,
    }
    assert len(plan.publish) == 3, "nothing leaves at once"


async def test_good_blocks_of_a_bad_entry_count(pki: PKI) -> None:
    """One damaged block among three."""
    blocks = [spki(rsa_public(name)) for name in "abc"]
    damaged = blocks[1].replace("END PUBLIC", "END")
    result = await read_config_map(pki, PATTERN, {BAD: blocks[0] + damaged + blocks[2]})
    assert set(listed(result)) == {kid(rsa_public("a")), kid(rsa_public("c"))}
    assert reasons(result) == {BAD: "EntryUnreadable"}
    assert result.reading.unreadable == {BAD}


async def test_a_key_that_cannot_be_seen_any_more_keeps_its_place(pki: PKI) -> None:
    """R4: the entry still holds it, in a form that nobody reads; it would have retired beside the one that is read."""
    seen, hidden = spki(rsa_public("a")), spki(rsa_public("b"))
    before, after = await read_object(
        pki, "configMap", PATTERN, config_map({BAD: seen + hidden}), config_map({BAD: seen + "\ufeff" + hidden})
    )
    assert set(listed(after)) == {kid(rsa_public("a"))}
    assert reasons(after) == {BAD: "EntryUnreadable"}
    plan = planned(after, before=planned(before).ledger, hours=1)
    assert all(entry.unused_since_time is None for entry in plan.ledger.keys)


class TestEmptySources:
    """Nothing to read is no reading, and delists nothing."""

    @pytest.mark.parametrize(
        "data",
        [None, {}, {"service-account-001.pub": ""}, {"other": "x"}, {BAD: "garbage"}, {BAD: spki(material.ED25519)}],
        ids=["no data", "no entry", "an empty entry", "none that matches", "only garbage", "only unsupported"],
    )
    async def test_an_empty_source_is_incomplete(self, pki: PKI, data: dict[str, str] | None) -> None:
        """SourceEmpty, and the keys that were there stay listed."""
        before, after = await read_object(pki, "configMap", PATTERN, config_map(GOOD), config_map(data))
        assert Reason.SourceEmpty in {finding.reason for finding in after.findings}
        assert not after.reading.complete
        assert after.reading.missing == ("a usable key in ConfigMap keys/signers",)
        plan = planned(after, before=planned(before).ledger, hours=100)
        assert published(plan) == [GOOD_KID]
        assert plan.ledger.keys[0].origins

    async def test_a_pattern_without_a_match_is_told_from_an_empty_source(self, pki: PKI) -> None:
        """The admin has to look elsewhere."""
        result = await read_config_map(pki, PATTERN, {"sa.pub": spki(rsa_public("x"))})
        assert (
            "No entry of ConfigMap keys/signers matches the entryPattern of source signers"
            in result.findings[0].message
        )


class TestNumbers:
    """Numbers order keys and decide nothing."""

    async def test_the_same_number_twice(self, pki: PKI) -> None:
        """1 and 001 are one number: both keys are published, and it is said."""
        data = {**GOOD, "service-account-1.pub": spki(rsa_public("other"))}
        plan = planned(await read_config_map(pki, PATTERN, data))
        assert set(published(plan)) == {GOOD_KID, kid(rsa_public("other"))}
        (reused,) = [finding for finding in plan.findings if finding.reason is Reason.VersionReused]
        assert reused.subject == "1"

    @pytest.mark.parametrize(("lower", "higher"), [("9", "10"), ("10", "11"), ("099", "100"), ("999", "1000")])
    async def test_a_key_under_two_numbers_has_the_higher(self, pki: PKI, lower: str, higher: str) -> None:
        """Whichever name sorts first as a text."""
        both = {f"service-account-{number}.pub": spki(rsa_public("good")) for number in (lower, higher)}
        (entry,) = planned(await read_config_map(pki, PATTERN, both)).ledger.keys
        assert (entry.version, entry.version_named) == (int(higher), True)
        assert {origin.entry for origin in entry.origins} == set(both)

    @pytest.mark.parametrize(
        ("pattern", "name", "version"),
        [
            (r"sa(-(?P<version>[0-9]+))?\.pub", "sa.pub", None),  # the group took no part
            (r"sa-(?P<version>[0-9]*)\.pub", "sa-.pub", None),  # it matched nothing
            (r"sa-(?P<version>[0-9]+)\.pub", "sa-000.pub", 0),
            (r"sa-(?P<version>[0-9]+)\.pub", "sa-0000000000000000000000000010.pub", 10),
            (r"(?P<version>[0-9]+)\.crt", "7125738495725394857203948571.crt", 7125738495725394857203948571),
            (r"sa-(?P<version>[0-9]+)\.pub", f"sa-{'9' * 240}.pub", int("9" * 240)),
            (r"\Asa-(?P<version>\d+)[.]pub\z", "sa-7.pub", 7),
            (r"sa|sa-(?P<version>\d+)[.]pub", "sa-7.pub", 7),  # the whole name, not its first alternative
        ],
    )
    async def test_numbers_in_names(self, pki: PKI, pattern: str, name: str, version: int | None) -> None:
        """Leading zeros count for nothing, and no number is too long for a name."""
        result = await read_config_map(pki, pattern, {name: spki(rsa_public("good"))})
        assert (listed(result), result.findings) == ({GOOD_KID: version}, ())

    async def test_a_number_that_is_none(self, pki: PKI) -> None:
        """It is said, and the key is published without it: a name must not cost a cluster its tokens."""
        result = await read_config_map(pki, r"sa-(?P<version>.*)\.pub", {"sa-v7.pub": spki(rsa_public("good"))})
        assert listed(result) == {GOOD_KID: None}
        assert reasons(result) == {"sa-v7.pub": "EntryUnreadable"}
        assert "has a version that is not a decimal number" in result.findings[0].message
        assert (result.reading.complete, result.reading.unreadable) == (True, frozenset())

    async def test_only_whole_names_match(self, pki: PKI) -> None:
        """Neither a part of a name nor a line of it."""
        names = [
            "xservice-account-1.pub",
            "service-account-1.pubx",
            "service-account-1.pub\n",
            "a\nservice-account-1.pub",
        ]
        for pattern in (PATTERN, "(?m)^" + PATTERN + "$"):
            result = await read_config_map(pki, pattern, {**GOOD, **dict.fromkeys(names, spki(rsa_public("evil")))})
            assert (listed(result), result.findings) == ({GOOD_KID: 1}, ())


class TestManyKeys:
    """R11."""

    @pytest.mark.parametrize(
        ("count", "severity", "pending"), [(10, None, 0), (11, Severity.WARNING, 0), (101, Severity.CRITICAL, 1)]
    )
    async def test_many_keys(self, pki: PKI, count: int, severity: Severity | None, pending: int) -> None:
        """All are listed and kept; above a hundred of a type one waits."""
        data = {f"service-account-{n:03d}.pub": spki(rsa_public(f"many-{n}")) for n in range(1, count + 1)}
        result = await read_config_map(pki, PATTERN, data)
        plan = planned(result)
        assert len(listed(result)) == len(plan.ledger.keys) == count
        assert len(plan.publish) == count - pending
        assert [f.severity for f in plan.findings if f.reason is Reason.TooManyKeys] == ([severity] if severity else [])


async def test_the_same_kid_with_other_material(pki: PKI) -> None:
    """R8: an external signer's kid in two sources; the first stays, it is said, and the good key is published."""
    first, second = (PublicKey.from_spki(rsa_public(name), "signer-1") for name in ("one", "two"))
    sources = [SourceReading(str(n), complete=True, listings=(Listing(k),)) for n, k in enumerate((first, second))]
    plan = planned(*sources, await read_config_map(pki, PATTERN, GOOD))
    assert set(plan.publish) >= {first}
    assert second not in plan.publish
    assert GOOD_KID in published(plan)
    assert Reason.KeyMaterialChanged in {finding.reason for finding in plan.findings}


class TestDeletedAndMadeAgain:
    """A ConfigMap goes and comes back."""

    async def test_nothing_leaves_meanwhile(self, pki: PKI) -> None:
        """Deleted for 100 hours, then made again with another key: only then does the first begin to retire."""
        other = {"service-account-002.pub": spki(rsa_public("other"))}
        there, gone, again = await read_object(
            pki, "configMap", PATTERN, config_map(GOOD), refuses(404, "NotFound", "no"), config_map(other)
        )
        (finding,) = gone.findings
        assert (finding.reason, finding.subject) == (Reason.SourceNotFound, "ConfigMap keys/signers")
        assert finding.message == "ConfigMap keys/signers does not exist."
        assert finding.advice.startswith("Create it")
        assert (gone.reading.complete, gone.reading.missing) == (False, ("ConfigMap keys/signers",))
        plan = planned(gone, before=planned(there).ledger, hours=100)
        assert published(plan) == [GOOD_KID]
        assert plan.ledger.keys[0].unused_since_time is None
        plan = planned(again, before=plan.ledger, hours=101)
        assert published(plan) == [kid(rsa_public("other")), GOOD_KID]
        assert plan.ledger.keys[1].unused_since_time == T0 + 101 * HOUR

    @pytest.mark.parametrize(("status", "reason"), [(403, "Forbidden"), (404, "NotFound"), (500, "InternalError")])
    async def test_a_failure_is_confirmed_by_a_second_try(self, pki: PKI, status: int, reason: str) -> None:
        """An API server that has just started, an object that is being replaced: no finding."""
        (result,) = await read_object(pki, "configMap", PATTERN, (refuses(status, reason, "no"), config_map(GOOD)))
        assert (listed(result), result.findings) == ({GOOD_KID: 1}, ())

    async def test_a_refusal_names_the_missing_right(self, pki: PKI) -> None:
        """For this one object."""
        (result,) = await read_object(pki, "secret", PATTERN, refuses(403, "Forbidden", "no"))
        (finding,) = result.findings
        assert finding.reason is Reason.SourceForbidden
        assert "get and watch secrets with resourceNames [signers] in namespace keys" in finding.advice
        assert not result.reading.complete


class TestForms:
    """How objects carry their entries."""

    async def test_binary_data(self, pki: PKI) -> None:
        """DER has no other place in a ConfigMap."""
        result = await read_config_map(pki, ".*", GOOD, binary={"sa.der": rsa_public("binary"), "empty": b""})
        assert set(listed(result)) == {GOOD_KID, kid(rsa_public("binary"))}
        assert result.findings == ()

    @pytest.mark.parametrize("damaged", ["?", "AAA", "é"])
    async def test_damaged_base64(self, pki: PKI, damaged: str) -> None:
        """Named, and nothing else is touched."""
        good = base64.b64encode(pem(rsa_public("good"))).decode()
        (result,) = await read_object(pki, "secret", ".*", secret({"good": good, "bad": damaged}))
        assert listed(result) == {GOOD_KID: None}
        assert reasons(result) == {"bad": "EntryUnreadable"}

    async def test_a_text_that_is_no_utf_8(self, pki: PKI) -> None:
        """JSON can say a lone surrogate."""
        result = await read_config_map(pki, ".*", {**GOOD, "bad": "\ud800"})
        assert reasons(result) == {"bad": "EntryUnreadable"}
