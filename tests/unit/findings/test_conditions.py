"""How conditions follow from findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from oidc_publisher.findings import (
    CATALOGUE,
    CONDITION_ORDER,
    MAX_SENTENCE,
    Condition,
    ConditionStatus,
    ConditionType,
    Facts,
    Finding,
    Reason,
    Severity,
    conditions,
    refused_conditions,
    sorted_findings,
)
from oidc_publisher.findings.catalogue.events import EVENTS
from oidc_publisher.findings.catalogue.managed import MANAGED
from oidc_publisher.findings.catalogue.plan import PLAN
from oidc_publisher.findings.catalogue.prove import PROVE
from oidc_publisher.findings.catalogue.publish import PUBLISH
from oidc_publisher.findings.catalogue.read import READ
from oidc_publisher.findings.catalogue.report import REPORT

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Facts(
    generation=3,
    now=NOW,
    interval=timedelta(minutes=1),
    may_sign=True,
    achieved=dict.fromkeys(CONDITION_ORDER, "well"),
)


def by_type(found: tuple[Condition, ...]) -> dict[ConditionType, Condition]:
    return {condition.type: condition for condition in found}


def status_of(*findings: Finding, facts: Facts = GOOD) -> dict[ConditionType, ConditionStatus]:
    return {c.type: c.status for c in conditions(findings, facts)}


def test_every_reason_is_in_the_catalogue_with_whole_sentences() -> None:
    """A reason without an entry, or with half a sentence, would reach a person."""
    assert set(CATALOGUE) == set(Reason)
    assert len(CATALOGUE) == sum(map(len, (READ, PLAN, PUBLISH, PROVE, REPORT, MANAGED, EVENTS))), (
        "one of two would be dead"
    )
    for entry in CATALOGUE.values():
        assert entry.meaning.endswith(".")
        assert entry.hint.endswith(".")
        assert entry.meaning[0].isupper() or entry.meaning.startswith("spec.")


def test_a_clock_that_was_ahead_does_not_keep_an_old_proof() -> None:
    """Served became Unknown while the operator's clock was a year ahead; by the right clock that is never long ago."""
    away = Finding.of(Reason.APIServerUnreachable, "The source is away")
    assert away.unknown
    ahead = replace(GOOD, now=NOW + timedelta(days=365))
    last = conditions([away], replace(ahead, previous=conditions([], GOOD)))
    held = []
    for minutes in range(5):
        facts = replace(GOOD, now=NOW + timedelta(minutes=minutes), previous=last)
        last = conditions([away], facts)
        held.append(by_type(last)[ConditionType.READY].status is ConditionStatus.TRUE)
        assert all(c.last_transition_time <= facts.now for c in last)
    assert held == [True, True, True, False, False]


def test_all_good_is_ready_and_neither_reconciling_nor_stalled() -> None:
    """kstatus: the abnormal conditions exist only while true."""
    found = by_type(conditions((), GOOD))
    assert set(found) == {ConditionType.READY, ConditionType.SAFE_TO_SIGN, *CONDITION_ORDER}
    assert {c.status for c in found.values()} == {ConditionStatus.TRUE}
    assert found[ConditionType.READY].reason is Reason.Proven
    assert found[ConditionType.PUBLISHED].reason is Reason.Succeeded
    assert {c.observed_generation for c in found.values()} == {3}


def test_an_issuer_that_mints_no_token_is_proven_without_one() -> None:
    """No TokenAccepted without an apiServer source."""
    found = by_type(conditions((), replace(GOOD, mints=False)))
    assert ConditionType.TOKEN_ACCEPTED not in found
    assert found[ConditionType.READY].reason is Reason.ProvenWithoutToken


@pytest.mark.parametrize("reason", [r for r in Reason if CATALOGUE[r].condition in CONDITION_ORDER])
def test_a_finding_moves_its_condition_as_its_severity_says(reason: Reason) -> None:
    """Critical: False; U: Unknown; Warning and Info leave it True."""
    entry = CATALOGUE[reason]
    expected = ConditionStatus.TRUE
    if entry.unknown:
        expected = ConditionStatus.UNKNOWN
    if entry.severity is Severity.CRITICAL:
        expected = ConditionStatus.FALSE
    assert status_of(Finding.of(reason, "Something"))[entry.condition] is expected


def test_ready_names_the_first_cause_in_the_order_of_the_steps() -> None:
    """A store that refuses explains a wire that shows nothing, not the other way round."""
    findings = (Finding.of(Reason.DocumentNotFound, "no"), Finding.of(Reason.AccessDenied, "refused"))
    ready = by_type(conditions(findings, GOOD))[ConditionType.READY]
    assert (ready.status, ready.reason) == (ConditionStatus.FALSE, Reason.AccessDenied)


def test_stalled_says_that_only_a_person_can_mend_it() -> None:
    """Ready False with a reason that stalls: Stalled; with another: Reconciling."""
    assert ConditionType.STALLED in status_of(Finding.of(Reason.AccessDenied, "refused"))
    assert ConditionType.RECONCILING in status_of(Finding.of(Reason.DocumentNotFound, "no"))
    assert ConditionType.STALLED not in status_of(Finding.of(Reason.DocumentNotFound, "no"))


def test_unknown_keeps_the_last_good_for_three_intervals() -> None:
    """What could not be asked is not False, and Ready follows only when it lasts."""
    unreachable = Finding.of(Reason.APIServerUnreachable, "A is away")
    good = conditions((), GOOD)
    first = conditions((unreachable,), replace(GOOD, previous=good, now=NOW + timedelta(minutes=1)))
    assert by_type(first)[ConditionType.KEYS_READ].status is ConditionStatus.UNKNOWN
    assert by_type(first)[ConditionType.READY].status is ConditionStatus.TRUE
    later = conditions((unreachable,), replace(GOOD, previous=first, now=NOW + timedelta(minutes=4)))
    ready = by_type(later)[ConditionType.READY]
    assert (ready.status, ready.reason) == (ConditionStatus.UNKNOWN, Reason.APIServerUnreachable)


def test_a_new_generation_is_not_ready_on_the_proof_of_the_old_one() -> None:
    """Ready=True only if everything was proven for this generation."""
    unreachable = Finding.of(Reason.APIServerUnreachable, "A is away")
    facts = replace(GOOD, generation=4, previous=conditions((), GOOD))
    assert status_of(unreachable, facts=facts)[ConditionType.READY] is ConditionStatus.UNKNOWN


def test_safe_to_sign_never_moves_ready() -> None:
    """A key that waits is no fault of the issuer."""
    found = by_type(conditions((Finding.of(Reason.SignedBeforeSafe, "early"),), replace(GOOD, may_sign=False)))
    assert found[ConditionType.SAFE_TO_SIGN].status is ConditionStatus.FALSE
    assert found[ConditionType.SAFE_TO_SIGN].reason is Reason.SignedBeforeSafe
    assert found[ConditionType.READY].status is ConditionStatus.TRUE


def test_a_waiting_key_makes_safe_to_sign_false_with_its_time() -> None:
    """A rotator waits for the condition and reads the time."""
    waiting = Finding.of(Reason.PrePublishing, "Key K2 is safe to sign with from 2026-01-02T00:00:00Z")
    safe = by_type(conditions((waiting,), replace(GOOD, may_sign=False)))[ConditionType.SAFE_TO_SIGN]
    assert (safe.status, safe.reason) == (ConditionStatus.FALSE, Reason.PrePublishing)
    assert "2026-01-02T00:00:00Z" in safe.message


def test_a_withdrawn_key_that_is_listed_makes_safe_to_sign_false_by_its_name() -> None:
    """Nothing waits, and yet one listed key may not sign."""
    withdrawn = Finding.of(Reason.KeyWithdrawn, "Key K1 is withdrawn and is still listed", subject="K1")
    waiting = Finding.of(Reason.PrePublishing, "Key K2 is safe to sign with from 2026-01-02T00:00:00Z")
    facts = replace(GOOD, may_sign=False)
    safe = by_type(conditions((withdrawn,), facts))[ConditionType.SAFE_TO_SIGN]
    assert (safe.status, safe.reason) == (ConditionStatus.FALSE, Reason.KeyWithdrawn)
    assert "K1" in safe.message
    both = by_type(conditions((withdrawn, waiting), facts))[ConditionType.SAFE_TO_SIGN]
    assert both.reason is Reason.PrePublishing


def test_a_key_that_an_api_server_lacks_makes_safe_to_sign_false_before_one_that_waits() -> None:
    """The one needs somebody, the other needs time."""
    lacked = Finding.of(Reason.KeyUnlistedSomewhere, "Key K1 is not listed by API server B", subject="K1")
    waiting = Finding.of(Reason.PrePublishing, "Key K2 is safe to sign with from 2026-01-02T00:00:00Z", subject="K2")
    found = by_type(conditions((waiting, lacked), replace(GOOD, may_sign=False)))
    safe = found[ConditionType.SAFE_TO_SIGN]
    assert (safe.status, safe.reason) == (ConditionStatus.FALSE, Reason.KeyUnlistedSomewhere)
    assert "API server B" in safe.message
    assert found[ConditionType.READY].status is ConditionStatus.TRUE


def test_a_token_that_a_peer_refuses_is_a_fault_for_a_person() -> None:
    """Half of the requests of a pod are refused: not Ready, and nothing that passes by itself."""
    refused = Finding.of(Reason.TokenRejectedByPeer, "B refuses the token that A has just minted", subject="B")
    found = by_type(conditions((refused,), GOOD))
    assert found[ConditionType.TOKEN_ACCEPTED].status is ConditionStatus.FALSE
    assert found[ConditionType.READY].reason is Reason.TokenRejectedByPeer
    assert found[ConditionType.STALLED].status is ConditionStatus.TRUE


def test_safe_to_sign_names_the_keys_it_speaks_of() -> None:
    """It cannot speak of a key that no pass has seen."""
    kind = ConditionType.SAFE_TO_SIGN
    said = {kind: "All listed keys may sign since 2026-01-02T00:00:00Z: K1."}
    assert by_type(conditions((), replace(GOOD, achieved={**GOOD.achieved, **said})))[kind].message == said[kind]


def test_what_keeps_keys_from_signing_is_said_where_no_finding_says_it() -> None:
    """The key signs since ever, and nothing could be published: no key is published, and no time is named."""
    kind = ConditionType.SAFE_TO_SIGN
    facts = replace(GOOD, may_sign=False, skipped={kind: "These listed keys may not sign yet: K1."})
    safe = by_type(conditions((), facts))[kind]
    assert (safe.status, safe.reason) == (ConditionStatus.FALSE, Reason.PrePublishing)
    assert safe.message.startswith(
        "These listed keys may not sign yet: K1. Do not sign with it before its safeSinceTime"
    )
    for message in (safe.message, by_type(conditions((), replace(GOOD, may_sign=False)))[kind].message):
        assert "published" not in message
        assert "time named" not in message


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(GOOD, suspended=True), Reason.Suspended),
        (replace(GOOD, deleted=True), Reason.BeingDeleted),
        (replace(GOOD, deleted=True, suspended=True), Reason.BeingDeleted),
    ],
    ids=["suspended", "deleted", "both"],
)
def test_an_object_at_rest_makes_no_claim(facts: Facts, reason: Reason) -> None:
    """An old proof is not a proof."""
    found = by_type(conditions((), replace(facts, previous=conditions((), GOOD))))
    assert {c.status for c in found.values()} == {ConditionStatus.UNKNOWN}
    assert {c.reason for c in found.values()} == {reason}


def test_the_transition_time_moves_with_the_status_alone() -> None:
    """A change of reason is no transition."""
    first = conditions((Finding.of(Reason.AccessDenied, "refused"),), GOOD)
    second = conditions(
        (Finding.of(Reason.BucketNotFound, "gone"),), replace(GOOD, now=NOW + timedelta(hours=1), previous=first)
    )
    published = by_type(second)[ConditionType.PUBLISHED]
    assert published.reason is Reason.BucketNotFound
    assert published.last_transition_time == NOW
    third = conditions((), replace(GOOD, now=NOW + timedelta(hours=2), previous=second))
    assert by_type(third)[ConditionType.PUBLISHED].last_transition_time == NOW + timedelta(hours=2)


def test_findings_come_root_cause_first_and_once() -> None:
    """Critical before Warning, then by the order of the steps."""
    slow = Finding.of(Reason.TooSlow, "slow")
    denied = Finding.of(Reason.AccessDenied, "refused")
    unreadable = Finding.of(Reason.EntryUnreadable, "entry")
    assert sorted_findings((unreadable, slow, denied, slow)) == (denied, slow, unreadable)


def test_findings_that_differ_in_their_advice_alone_have_an_order() -> None:
    """Whoever reports first: an order that changes would be a PATCH each time."""
    one, two = (Finding.of(Reason.BucketNotFound, "gone", hint=hint) for hint in ("Do a.", "Do b."))
    assert sorted_findings((two, one)) == sorted_findings((one, two)) == (one, two)


def test_what_is_wrong_and_what_to_do_are_joined_in_a_condition_alone() -> None:
    """A condition has one text; a finding has a member for each, so that nobody has to cut."""
    finding = Finding.of(Reason.BucketNotFound, "s3://b does not exist")
    assert (finding.message, finding.advice) == ("s3://b does not exist.", "Create it, or correct spec.store.")
    found = by_type(conditions((finding,), GOOD))
    for kind in (ConditionType.READY, ConditionType.PUBLISHED, ConditionType.STALLED):
        said = "s3://b does not exist. Create it, or correct spec.store."
        assert found[kind].message == f"{said} Runbook: oidc-publisher explain BucketNotFound"


def test_every_condition_that_a_finding_moves_says_what_to_do() -> None:
    """Whichever of them it moves, and in an object that cannot be read."""
    for reason in Reason:
        finding = Finding.of(reason, "It is so")
        for condition in conditions((finding,), replace(GOOD, may_sign=False)):
            assert condition.message != finding.message
    for condition in refused_conditions(Finding.of(Reason.SpecUnsupported, "spec.store"), GOOD):
        said = f"spec.store. {CATALOGUE[Reason.SpecUnsupported].hint}"
        assert condition.message == f"{said} Runbook: oidc-publisher explain SpecUnsupported"


def test_a_check_may_advise_better_than_the_catalogue() -> None:
    """An empty hint is none."""
    better = Finding.of(Reason.BucketNotFound, "s3://b does not exist.", hint="Look into the account 123.")
    assert better.sentence == "s3://b does not exist. Look into the account 123."
    assert Finding.of(Reason.BucketNotFound, "gone", hint="").advice == CATALOGUE[Reason.BucketNotFound].hint


def test_a_message_without_end_leaves_room_for_what_to_do() -> None:
    """A condition that is cut at its end would lose the advice first."""
    endless = Finding.of(Reason.BucketNotFound, "x" * 100_000, hint="y" * 100_000)
    assert len(endless.sentence) == MAX_SENTENCE
    assert Finding.of(Reason.BucketNotFound, "x" * 100_000).sentence.endswith("... Create it, or correct spec.store.")
