"""The series of issuers: what a status and a pass become, by the clock of the scrape, and that nothing stays of what is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus
from oidc_publisher.controller.metrics import metriclist as m
from oidc_publisher.controller.metrics.series import Series
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe.wire.port import Fetched, Phases, Validity
from oidc_publisher.reconcile.passes import PassDone
from oidc_publisher.telemetry.steps import Step
from tests.support.builders import NOW, issuer_of

Labels = tuple[tuple[str, str], ...]


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        """The wall clock."""
        return self.time

    def monotonic(self) -> float:
        """The same as seconds."""
        return self.time.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def series(clock: Clock) -> Series:
    return Series(clock=clock)


def scraped(series: Series) -> dict[str, dict[Labels, float]]:
    """Every sample as Prometheus reads it: by name, then by its labels."""
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(generate_latest(series.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(series: Series, name: str, **labels: str) -> float | None:
    """One sample of the issuer prod, None where there is none."""
    wanted = tuple(sorted({"issuer": "prod", **labels}.items()))
    return scraped(series).get(f"oidc_publisher_{name}", {}).get(wanted)


def key(kid: str, state: str, **times: datetime) -> dict[str, Any]:
    named = {"firstSeenTime": NOW - timedelta(days=3), **times}
    return {"keyID": kid, "state": state, **{name: time.isoformat() for name, time in named.items()}}


def issuer(**status: Any) -> OIDCIssuer:
    read = OIDCIssuerStatus.model_validate({"ledger": {}, **status})
    return issuer_of(metadata={"name": "prod"}).model_copy(update={"status": read})


def done(of: OIDCIssuer, **changes: Any) -> PassDone:
    plain = PassDone(of, failed=False, changes=(), events=(), seconds={}, took_s=0.1, proven=False, next_look_s=60.0)
    return replace(plain, **changes)


READY = {"type": "Ready", "status": "True", "reason": "Proven", "message": "", "lastTransitionTime": NOW.isoformat()}


def test_a_condition_has_one_series_for_each_status(series: Series) -> None:
    """1 for the status that it has; a query for False finds 0 and not nothing."""
    series.seen(issuer(conditions=[READY]))
    found = {status: value(series, "condition", type="Ready", status=status) for status in ("True", "False", "Unknown")}
    assert found == {"True": 1, "False": 0, "Unknown": 0}


def test_findings_are_counted_and_go_with_the_finding(series: Series) -> None:
    """Two API servers that are away are two; after the pass that reaches them there is no series."""
    found = [
        {"reason": "APIServerUnreachable", "severity": "Warning", "message": "", "subject": subject}
        for subject in ("10.0.0.1:6443", "10.0.0.2:6443")
    ]
    series.seen(issuer(findings=found))
    labels = {"reason": "APIServerUnreachable", "severity": "Warning"}
    assert value(series, "findings", **labels) == 2
    series.passed(done(issuer()))
    assert value(series, "findings", **labels) is None


def test_what_depends_on_time_is_computed_at_the_scrape(series: Series, clock: Clock) -> None:
    """An hour later, without any pass, each is an hour nearer or older."""
    keys = [
        key("waits", "Served", safeToSignTime=NOW + timedelta(hours=2)),
        key("signs", "Signing", safeSinceTime=NOW, safeToSignTime=NOW),
        key("leaves", "Retiring", retireTime=NOW + timedelta(minutes=30)),
    ]
    series.passed(done(issuer(keys=keys, signingKeyIDs=["signs"]), proven=True))
    validity = Validity(NOW, NOW + timedelta(days=1))
    series.fetched("prod", Fetched("https://oidc.example.com", 200, certificate=validity))
    names = (
        "next_key_safe_seconds",
        "next_retirement_seconds",
        "last_proof_age_seconds",
        "signing_key_age_seconds",
        "certificate_remaining_seconds",
    )
    assert [value(series, name) for name in names] == [7200, 1800, 0, 3 * 86400, 86400]
    clock.time += timedelta(hours=1)
    assert [value(series, name) for name in names] == [3600, -1800, 3600, 3 * 86400 + 3600, 82800]


def test_keys_are_counted_by_state(series: Series) -> None:
    """All seven states are there, so that a panel has a zero to show."""
    series.seen(issuer(keys=[key("a", "Signing"), key("b", "Retiring")], publication={"keyCount": 2}))
    counts = {dict(labels)["state"]: count for labels, count in scraped(series)["oidc_publisher_keys"].items()}
    assert counts == {
        "Pending": 0,
        "Published": 0,
        "Served": 0,
        "SafeToSign": 0,
        "Signing": 1,
        "Retiring": 1,
        "Leaving": 0,
    }
    assert value(series, "published_keys") == 2


@pytest.mark.parametrize(("since", "expected"), [({"safeSinceTime": NOW}, 1), ({}, 0)])
def test_all_keys_are_safe_when_every_key_in_use_is(
    since: dict[str, datetime], expected: float, series: Series
) -> None:
    """A retiring key is not safe, and does not count."""
    series.seen(issuer(keys=[key("a", "Signing", **since), key("b", "Retiring")]))
    assert value(series, "all_keys_safe") == expected


def test_before_anything_was_read_nothing_is_invented(series: Series) -> None:
    """A new object: no proof, no keys, no certificate; only counters begin with 0, so that the first error is an increase."""
    series.seen(issuer_of(metadata={"name": "prod"}))
    names = {
        name.removeprefix("oidc_publisher_") for name, found in scraped(series).items() if ISSUER_PROD & found.keys()
    }
    assert names == {"issuer_suspended", "issuer_interval_seconds", "store_errors_total", "drift_repairs_total"}
    for result in ("changed", "unchanged", "failed"):
        assert value(series, "reconciles_total", result=result) == 0
    assert value(series, "store_calls_total", operation="read", code="ok") == 0


ISSUER_PROD = {(("issuer", "prod"),)}


def test_the_last_proof_is_that_of_the_status_until_this_process_has_one(series: Series, clock: Clock) -> None:
    """status.lastProvenTime is up to five minutes old; a proof of this process is exact."""
    proven = NOW - timedelta(minutes=4)
    series.seen(issuer(lastProvenTime=proven.isoformat()))
    assert value(series, "last_proof_timestamp_seconds") == proven.timestamp()
    clock.time += timedelta(seconds=10)
    series.passed(done(issuer(lastProvenTime=proven.isoformat()), proven=True))
    assert value(series, "last_proof_timestamp_seconds") == clock.time.timestamp()


def test_passes_are_counted_by_result_and_their_steps_measured(series: Series) -> None:
    """What changed something, what did not, what failed and what could not even report."""
    series.passed(done(issuer(), changes=("documents",), seconds={Step.PROVE: 0.3}))
    series.passed(done(issuer()))
    series.passed(done(issuer(), failed=True))
    series.failed("prod")
    results = {
        result: value(series, "reconciles_total", result=result) for result in ("changed", "unchanged", "failed")
    }
    assert results == {"changed": 1, "unchanged": 1, "failed": 2}
    steps = scraped(series)["oidc_publisher_reconcile_step_duration_seconds_count"]
    assert {dict(labels)["step"]: count for labels, count in steps.items()} == {
        "read": 0,
        "plan": 0,
        "publish": 0,
        "prove": 1,
        "report": 0,
    }
    assert scraped(series)["oidc_publisher_reconcile_duration_seconds_count"] == {(): 3}


def test_store_calls_and_drift_repairs_are_counted(series: Series) -> None:
    """A lost race is a result of its own and no error."""
    series.seen(issuer())
    notes = series.notes_of("prod")
    notes.called("read", "ok", 0.01, error=False)
    notes.called("write", "AccessDenied", 0.01, error=True)
    notes.called("write", "PreconditionFailed", 0.01, error=False)
    assert value(series, "store_calls_total", operation="read", code="ok") == 1
    assert value(series, "store_calls_total", operation="write", code="AccessDenied") == 1
    assert value(series, "store_errors_total") == 1
    repaired = Finding.of(Reason.DriftRepaired, "It was changed")
    series.passed(done(issuer(), events=(repaired, Finding.of(Reason.KeySafe, "It is safe"))))
    assert value(series, "drift_repairs_total") == 1


def test_the_phases_of_the_last_probe(series: Series) -> None:
    """A fetch over a kept connection has none, and leaves those of the connection."""
    series.seen(issuer())
    series.fetched("prod", Fetched("https://x", 200, phases=Phases(0.1, 0.2, 0.3, 0.4, 0.5)))
    series.fetched("prod", Fetched("https://x", 200))
    assert value(series, "probe_duration_seconds", phase="tls") == 0.3


def everything(clock: Clock) -> Series:
    """The series of an issuer that has every metric."""
    series = Series(clock=clock, per_key=True)
    finding = {"reason": "CertificateExpiring", "severity": "Warning", "message": ""}
    keys = [
        key("waits", "Served", safeToSignTime=NOW),
        key("signs", "Signing", safeSinceTime=NOW),
        key("leaves", "Retiring", retireTime=NOW),
    ]
    status = {"conditions": [READY], "findings": [finding], "publication": {"keyCount": 3}}
    series.passed(done(issuer(keys=keys, signingKeyIDs=["signs"], **status), proven=True))
    phases, validity = Phases(0.1, 0.2, 0.3, 0.4, 0.5), Validity(NOW, NOW)
    series.fetched("prod", Fetched("https://x", 200, certificate=validity, phases=phases))
    return series


def test_every_metric_of_the_list_has_a_series_and_no_series_is_missing_from_the_list(clock: Clock) -> None:
    """docs/reference/metrics.md is made from the list, so it says what an operator serves."""
    of_issuers = {metric for metric, _, _ in everything(clock)._samples()}
    assert of_issuers == {*m.OF_ISSUER, *m.OF_KEY, m.ISSUERS}
    names = set(scraped(everything(clock)))
    suffixes = {m.Kind.HISTOGRAM: "_count", m.Kind.COUNTER: "", m.Kind.GAUGE: ""}
    expected = {f"{each.full_name}{suffixes[each.kind]}" for each in (*m.OF_ISSUER, *m.OF_KEY, m.PASS_SECONDS)}
    assert expected <= names


def test_the_labels_of_each_sample_are_those_of_the_list(clock: Clock) -> None:
    """A value too many or too few would be a broken page."""
    for metric, labels, _ in everything(clock)._samples():
        assert len(labels) == len(metric.labels), metric.name


def test_every_series_of_an_issuer_goes_with_it_and_nothing_late_brings_one_back(series: Series) -> None:
    """A call that was in progress when the object went is no issuer again."""
    series.passed(done(issuer(conditions=[READY], keys=[key("a", "Signing")])))
    notes = series.notes_of("prod")
    assert value(series, "reconciles_total", result="unchanged") == 1
    series.gone("prod")
    notes.called("write", "ok", 0.1, error=False)
    notes.fetched(Fetched("https://x", 200, phases=Phases(1, 1, 1, 1, 1)))
    series.failed("prod")
    assert not [name for name, found in scraped(series).items() for labels in found if ("issuer", "prod") in labels]
    assert scraped(series)["oidc_publisher_issuers"] == {(): 0}


def test_an_object_that_was_created_anew_has_nothing_of_the_former(series: Series) -> None:
    """Two events between two passes: the proof of the former object says nothing of this one."""
    series.seen(issuer_of(metadata={"uid": "former"}))
    series.passed(done(issuer_of(metadata={"uid": "former"}), proven=True))
    assert value(series, "last_proof_age_seconds") == 0
    series.seen(issuer_of(metadata={"uid": "anew"}))
    assert value(series, "last_proof_age_seconds") is None


def test_the_certificate_of_a_suspended_issuer_is_not_known(series: Series) -> None:
    """Nobody looks at it, so that no alert may say that it expires."""
    series.seen(issuer())
    certificate = Validity(NOW - timedelta(days=80), NOW + timedelta(days=1))
    series.notes_of("prod").fetched(Fetched("https://i.example", 200, certificate=certificate))
    assert value(series, "certificate_remaining_seconds") == 86400
    series.seen(issuer_of(suspend=True))
    assert value(series, "certificate_remaining_seconds") is None


def test_an_object_that_cannot_be_read_is_not_ready_in_the_metrics_either(series: Series) -> None:
    """The last Ready would stand for ever, as in the status."""
    series.seen(issuer(conditions=[READY]))
    refused = OIDCIssuerStatus.model_validate(
        {"conditions": [READY | {"status": "False", "reason": "SpecUnsupported"}]}
    )
    series.refused("prod", refused)
    assert value(series, "condition", type="Ready", status="False") == 1
    assert value(series, "condition", type="Ready", status="True") == 0


def test_a_key_id_is_a_label_only_where_it_was_asked_for(clock: Clock) -> None:
    """Each rotation makes new key IDs, so they would grow without end."""
    keys = [
        key("waits", "Served", safeToSignTime=NOW + timedelta(hours=2)),
        key("leaves", "Retiring", retireTime=NOW + timedelta(hours=1)),
    ]
    plain, per_key = Series(clock=clock), Series(clock=clock, per_key=True)
    for each in (plain, per_key):
        each.seen(issuer(keys=keys))
    assert "key_id" not in generate_latest(plain.registry).decode()
    assert value(per_key, "key_safe_seconds", key_id="waits") == 7200
    assert value(per_key, "key_retirement_seconds", key_id="leaves") == 3600
    assert value(per_key, "key_state", key_id="leaves", state="Retiring") == 1


def test_what_prometheus_must_escape(series: Series) -> None:
    """Whatever stands in a label is read back as it was."""
    series.seen(issuer(findings=[{"reason": 'a"b\\c\nd', "severity": "Warning", "message": ""}]))
    assert value(series, "findings", reason='a"b\\c\nd', severity="Warning") == 1
