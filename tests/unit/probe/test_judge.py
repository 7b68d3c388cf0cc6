"""What a look means: every broken issuer has exactly the reasons of its defect."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.api import RelyingParty
from oidc_publisher.documents import discovery_document, jwks_document
from oidc_publisher.errors import FetchError
from oidc_publisher.findings import CATALOGUE, ConditionType, Finding, Reason, Severity
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import Fetched, Look, Read, Validity, date_offsets, judge, wire_reading
from tests.support.issuervectors import (
    CASES,
    DISCOVERY_URL,
    FOLDER,
    ISSUER,
    JWKS_URI,
    NOW,
    answer,
    expected,
    former_key,
    look_at,
    published,
)

DISCOVERY, JWKS = answer("good", "discovery", DISCOVERY_URL), answer("good", "jwks", JWKS_URI)


def reasons(findings: tuple[Finding, ...]) -> list[str]:
    return sorted({finding.reason.value for finding in findings})


def test_every_folder_has_a_case() -> None:
    """A vector that nobody judges proves nothing."""
    assert {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_broken_issuer_has_the_reasons_of_its_defect(name: str) -> None:
    """Exactly these, each about a URL or a party, each with a sentence that says what to do."""
    judgement = judge(look_at(name), expected())
    assert reasons(judgement.findings) == sorted(CASES[name])
    for finding in judgement.findings:
        assert finding.subject in (DISCOVERY_URL, JWKS_URI, "AWS", "GCP", "Kubernetes", "openidconnect-rs")
        assert CATALOGUE[finding.reason].condition is ConditionType.SERVED
        assert finding.message.endswith(".")
        assert finding.advice.endswith(".")
        assert "?" not in finding.sentence  # no query: it may hold a signature
    assert bool(judgement.achieved) == all(f.severity is not Severity.CRITICAL for f in judgement.findings)


def test_a_good_issuer_says_what_it_found() -> None:
    """Its URLs, its keys as read twice, its cache age, and the bytes that tokens are verified against."""
    judgement = judge(look_at("good"), expected())
    assert judgement.achieved == f"Anybody can read both documents of {ISSUER}, and they hold the 2 published keys."
    assert (judgement.issuer_url, judgement.jwks_uri) == (ISSUER, JWKS_URI)
    assert judgement.jwks == JWKS.body
    wire = wire_reading(look_at("good"), issuer_url=ISSUER, jwks_uri=JWKS_URI)
    assert wire is not None
    assert wire.reads == (frozenset(published()),) * 2
    assert wire.max_age == dt.timedelta(minutes=5)
    assert not wire.absent


WIRES: dict[str, tuple[list[int], str] | None] = {
    "good": ([2, 2], "whole"),
    "trailing-slash": ([2, 2], "partial"),
    "jwks-uri-of-the-api-server": ([2, 2], "partial"),
    "host-in-capitals": ([2, 2], "partial"),
    "bucket-not-public": None,
    "error-page-with-status-200": None,
    "nothing-there": ([], "absent"),
    "jwks-missing": None,
    "throttled": None,
    "empty-set": ([0, 0], "whole"),
    "one-edge-is-old": ([2, 2], "whole"),
    "one-edge-is-empty": ([2], "partial"),
    "bom": ([2, 2], "partial"),
    "key-twice": ([2, 2], "whole"),
}


@pytest.mark.parametrize("name", WIRES)
def test_the_wire_reading_is_what_was_parsed(name: str) -> None:
    """An empty set is a set, 404 for everything is absence, and anything else that is no set says nothing."""
    wire = wire_reading(look_at(name), issuer_url=ISSUER, jwks_uri=JWKS_URI)
    seen = None
    if wire is not None:
        kind = "absent" if wire.absent else "whole" if wire.whole else "partial"
        seen = ([len(read) for read in wire.reads], kind)
    assert seen == WIRES[name]


def test_a_discovery_404_beside_a_served_key_set_is_no_absence() -> None:
    """The keys are on the wire, and a first publication (R3) must not be assumed; but no verifier gets to them."""
    look = Look((Read(Fetched(DISCOVERY_URL, 404), JWKS),), NOW)
    wire = wire_reading(look, issuer_url=ISSUER, jwks_uri=JWKS_URI)
    assert wire is not None
    assert not wire.absent
    assert not wire.whole
    assert len(wire.reads) == 1


@pytest.mark.parametrize(
    ("issuer", "uri"), [("https://someone.example.test", JWKS_URI), (ISSUER, "https://someone.example.test/keys.json")]
)
def test_r2_a_discovery_document_that_leads_elsewhere_shows_no_key_as_served(issuer: str, uri: str) -> None:
    """Verifiers get their keys there, or stop: nobody is brought to ours, of which absence alone is still shown."""
    elsewhere = dataclasses.replace(DISCOVERY, body=discovery_document(issuer, uri, ["RS256"]))
    look = Look((Read(DISCOVERY, JWKS), Read(elsewhere, JWKS)), NOW)
    wire = wire_reading(look, issuer_url=ISSUER, jwks_uri=JWKS_URI)
    assert wire is not None
    assert not wire.whole
    assert wire.reads == (frozenset(published()),) * 2


def test_the_host_s_clock_is_taken_from_every_answer() -> None:
    """R13 takes the median; an answer from a cache states none."""
    first, second = dt.timedelta(seconds=1), dt.timedelta(seconds=2)
    read = Read(dataclasses.replace(DISCOVERY, date_offset=first), dataclasses.replace(JWKS, date_offset=second))
    error = FetchError(Reason.TooSlow, "slow")
    look = Look((read, Read(DISCOVERY, JWKS), Read(error, None)), NOW)
    assert date_offsets(look) == (first, second)


@pytest.mark.parametrize(
    ("name", "age"), [("without-cache-control", None), ("cached-for-a-day", 86400), ("no-store", 300), ("good", 300)]
)
def test_the_cache_age_is_the_key_set_s(name: str, age: int | None) -> None:
    """The discovery document holds no key, so its age does not matter; a key set without an age states none."""
    wire = wire_reading(look_at(name), issuer_url=ISSUER, jwks_uri=JWKS_URI)
    assert wire is not None
    assert wire.max_age == (None if age is None else dt.timedelta(seconds=age))


@pytest.mark.parametrize("name", ["older-set", "new-key-missing", "one-edge-is-old", "advertises-rs256-only"])
def test_an_old_copy_is_a_warning_while_a_write_spreads(name: str) -> None:
    """Within the cache age an older copy is served by right; afterwards it is critical."""
    for propagating, severity in ((True, Severity.WARNING), (False, Severity.CRITICAL)):
        judgement = judge(look_at(name), dataclasses.replace(expected(), propagating=propagating))
        assert {finding.severity for finding in judgement.findings} == {severity}


@pytest.mark.parametrize("name", ["key-of-a-stranger", "another-cluster", "trailing-slash"])
def test_a_stranger_s_document_is_critical_even_while_a_write_spreads(name: str) -> None:
    """No cache of ours can hold it."""
    judgement = judge(look_at(name), dataclasses.replace(expected(), propagating=True))
    assert judgement.findings[0].severity is Severity.CRITICAL


def test_messages_name_what_differs() -> None:
    """The two issuer strings; the keys that lack and the keys that are too many; the S3 code."""
    mismatch = judge(look_at("trailing-slash"), expected()).findings[0].message
    assert mismatch == f'{DISCOVERY_URL} names the issuer "{ISSUER}/", not "{ISSUER}".'
    stale = judge(look_at("older-set"), expected()).findings[0].message
    assert f'without "{published()[1].key_id}" and with "{former_key().key_id}"' in stale
    blocked = judge(look_at("bucket-not-public"), expected()).findings[0].message
    assert blocked == f"{DISCOVERY_URL} answers 403 (AccessDenied)."
    redirected = judge(look_at("redirect-to-www"), expected()).findings[0].message
    assert 'answers 308 and points to "https://www/x"' in redirected


def test_an_issuer_without_a_plan_is_judged_by_its_documents_alone() -> None:
    """`oidc-publisher verify URL` knows no keys and no cache age, but an age there must be."""
    free = dataclasses.replace(expected(), keys=None, cache_max_age=None, algorithms=frozenset())
    assert judge(look_at("another-cluster"), free).findings == ()
    assert judge(look_at("cached-for-a-day"), free).findings == ()
    assert reasons(judge(look_at("no-store"), free).findings) == ["CacheControlWrong"]
    assert reasons(judge(look_at("one-edge-is-old"), free).findings) == ["AnswersDisagree"]


def test_an_algorithm_of_a_served_key_must_be_advertised_though_no_plan_is_known() -> None:
    """Verifiers refuse what is not."""
    free = dataclasses.replace(expected(), keys=None, algorithms=frozenset())
    findings = judge(look_at("advertises-rs256-only"), free).findings
    assert reasons(findings) == ["AlgorithmsIncomplete"]
    assert "does not advertise ES256" in findings[0].message


def test_another_key_under_a_name_that_is_no_thumbprint_is_told() -> None:
    """An external signer chooses its kids, so the set itself is sound; it is no older copy, whatever was before."""
    mine, other = (PublicKey(name, key.algorithm, key.spki) for name, key in zip("aa", published(), strict=True))
    look = Look((Read(DISCOVERY, dataclasses.replace(JWKS, body=jwks_document([other]))),), NOW)
    plan = dataclasses.replace(expected(), keys=(mine,), former_key_ids=frozenset({"a"}), propagating=True)
    (finding,) = judge(look, plan).findings
    assert (finding.reason, finding.severity) == (Reason.DifferentKeysServed, Severity.CRITICAL)
    assert 'another key than ours under "a"' in finding.message


@pytest.mark.parametrize(
    ("days", "life_days", "warned"), [(13, 90, True), (15, 90, False), (5, 6, False), (1, 6, True), (13, 47, True)]
)
def test_a_certificate_that_ends_soon_is_a_warning(days: int, life_days: int, warned: bool) -> None:
    """14 days before, or in the last third of a life that is shorter; the message names the day, not the time left."""
    ends = NOW + dt.timedelta(days=days)
    certificate = Validity(ends - dt.timedelta(days=life_days), ends)
    discovery = dataclasses.replace(DISCOVERY, certificate=certificate)
    look = Look((Read(discovery, JWKS),), NOW)
    findings = judge(look, expected()).findings
    assert reasons(findings) == (["CertificateExpiring"] if warned else [])
    if warned:
        assert ends.date().isoformat() in findings[0].message


def test_a_certificate_that_strict_clients_refuse_is_a_warning() -> None:
    """Served stays True: nearly all relying parties accept it."""
    second = Read(DISCOVERY, dataclasses.replace(JWKS, strict_refusal="CA cert does not include key usage extension"))
    judgement = judge(Look((Read(DISCOVERY, JWKS), second), NOW), expected())
    (finding,) = judgement.findings
    assert (finding.reason, finding.severity) == (Reason.RelyingPartyRuleBroken, Severity.WARNING)
    assert finding.subject == "Python"
    assert "Python 3.13 and later refuse the certificate" in finding.message
    assert judgement.achieved


def test_time_in_which_the_reader_did_not_run_is_not_the_host_s() -> None:
    """Three seconds, two of them without a turn of the event loop: nobody knows of two slow seconds."""
    late = dataclasses.replace(JWKS, elapsed=dt.timedelta(seconds=3), starved=dt.timedelta(seconds=2))
    reads = (Read(DISCOVERY, late),) * 2
    assert Reason.TooSlow not in {finding.reason for finding in judge(Look(reads, NOW), expected()).findings}


@pytest.mark.parametrize(("slow", "warned"), [((3.0, 3.0), True), ((3.0, 0.1), False), ((1.1, 1.1), False)])
def test_slowness_that_a_second_read_confirms_is_a_warning(slow: tuple[float, float], warned: bool) -> None:
    """STS waits 5 s; the message holds no measured time."""
    reads = [Read(DISCOVERY, dataclasses.replace(JWKS, elapsed=dt.timedelta(seconds=seconds))) for seconds in slow]
    findings = judge(Look(tuple(reads), NOW), expected()).findings
    assert reasons(findings) == (["TooSlow"] if warned else [])
    assert all(f.severity is Severity.WARNING and "longer than 2s" in f.message for f in findings)


def test_a_failed_fetch_says_nothing_about_the_keys() -> None:
    """Unknown is not absent: no wire reading, no achieved sentence, one finding."""
    error = FetchError(Reason.NameNotResolved, "issuer.example.test does not resolve", subject=DISCOVERY_URL)
    failed = Look((Read(error, None),), NOW)
    judgement = judge(failed, expected())
    assert [(f.reason, f.subject) for f in judgement.findings] == [(Reason.NameNotResolved, DISCOVERY_URL)]
    assert wire_reading(failed, issuer_url=ISSUER, jwks_uri=JWKS_URI) is None
    assert not judgement.achieved
    assert judgement.jwks is None


def test_clouds_that_cannot_come_are_named_whatever_the_probe_allows() -> None:
    """Ready would be a false yes: nobody but the operator gets to what it reads."""
    discovery = dataclasses.replace(DISCOVERY, private_address="10.1.2.3")
    untrusted = FetchError(
        Reason.CertificateUntrusted, "The certificate of issuer.example.test is private", subject=ISSUER
    )
    look = Look((Read(discovery, JWKS),), NOW, untrusted)
    judgement = judge(look, expected())  # of AWS, GCP and Kubernetes
    broken = [(f.reason, f.severity, f.subject) for f in judgement.findings]
    assert broken == [
        (Reason.RelyingPartyRuleBroken, Severity.CRITICAL, party) for party in ("AWS", "AWS", "GCP", "GCP")
    ]
    assert not judgement.achieved
    own = dataclasses.replace(expected(), relying_parties=(RelyingParty.KUBERNETES, RelyingParty.VAULT))
    assert judge(look, own).findings == ()


def test_a_stranger_who_fails_otherwise_is_a_reader_like_any_other() -> None:
    """Nothing is concluded about the certificate authority."""
    error = FetchError(Reason.TooSlow, "not read within 5s", subject=DISCOVERY_URL)
    judgement = judge(Look((Read(DISCOVERY, JWKS),), NOW, error), expected())
    assert reasons(judgement.findings) == ["TooSlow"]


def test_many_defects_are_one_finding() -> None:
    """status.findings holds 32."""
    members = ",".join(f'{{"kty":"oct","kid":"{number}","k":"AA"}}' for number in range(200))
    body = f'{{"keys":[{members}]}}'.encode()
    jwks = dataclasses.replace(JWKS, body=body)
    found = judge(Look((Read(DISCOVERY, jwks),), NOW), dataclasses.replace(expected(), relying_parties=()))
    assert reasons(found.findings) == ["KeySetInvalid"]
    assert "and 195 more" in found.findings[0].message


def test_an_oversized_document_is_invalid() -> None:
    """The rest was never read."""
    jwks = dataclasses.replace(JWKS, oversized=True)
    findings = judge(Look((Read(DISCOVERY, jwks),), NOW), expected()).findings
    assert reasons(findings) == ["DocumentInvalid"]
    assert f"{JWKS_URI} is larger than 64 KiB" in findings[0].message


ANSWERS = st.builds(
    Fetched,
    url=st.sampled_from([DISCOVERY_URL, JWKS_URI]),
    status=st.sampled_from([200, 200, 200, 204, 301, 403, 404, 418, 500]),
    body=st.one_of(
        st.binary(max_size=200),
        st.sampled_from(
            [
                b'{"keys":[]}',
                b'{"keys":[1]}',
                b'{"keys":[{"kty":[]}]}',
                b'{"keys":[{"kty":"EC","crv":[],"kid":{}}]}',
                b"[]",
            ]
        ),
    ),
    content_type=st.text(max_size=20),
    cache_control=st.text(max_size=40),
    content_encoding=st.text(max_size=8),
    location=st.text(max_size=30),
    oversized=st.booleans(),
)


@given(st.lists(st.builds(Read, st.none() | ANSWERS, st.none() | ANSWERS), max_size=3))
def test_no_answer_breaks_the_judge(reads: list[Read]) -> None:
    """Whatever a host sends, there is a judgement, and it says the same when asked again."""
    everybody = dataclasses.replace(expected(), relying_parties=tuple(RelyingParty))
    judgement = judge(Look(tuple(reads), NOW), everybody)
    assert judgement == judge(Look(tuple(reads), NOW), everybody)
