"""What API servers grant beyond the policy: asked of real ones, with the flags that matter."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest

from tests.support.stage import Object, Stage, condition

CAPPED = ("--service-account-max-token-expiration=2h",)
AUDIENCE = "sts.amazonaws.com"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One API server as it should be; one without a maximum that takes STS's audience for its own; an issuer of both."""
    with Stage(tmp_path_factory.mktemp("stage")) as running:
        good = dataclasses.replace(running.config(), extra_flags=CAPPED)
        shared = f"--api-audiences={running.issuer_url},{AUDIENCE}"
        running.cluster.restart(0, good)
        running.cluster.restart(1, dataclasses.replace(running.config(), extra_flags=(shared,)))
        running.apply_crd()
        running.operator.start()
        running.apply(issuer(running, "2h"))
        yield running


def issuer(stage: Stage, max_token_lifetime: str) -> Object:
    """The issuer with a policy of hours."""
    rotation = {"prePublishPeriod": "5s", "maxTokenLifetime": max_token_lifetime, "clockSkew": "1s"}
    return stage.issuer(rotation=rotation)


def said(status: Object, reason: str) -> list[tuple[str, str, str]]:
    """Subject, severity and message of the findings of a reason."""
    found = [f for f in status["findings"] if f["reason"] == reason]
    return [(f["subject"], f["severity"], f["message"]) for f in found]


def test_tokens_that_would_outlive_their_key_are_a_warning(stage: Stage) -> None:
    """Only the API server without a maximum is named; Ready and TokenAccepted stay True."""
    status = stage.wait_ready()["status"]
    second = stage.cluster.addresses[1]
    sentence = f"{second} grants tokens that live longer than rotation.maxTokenLifetime (2h): it granted one of 2h1m."
    assert said(status, "TokenOutlivesPolicy") == [(second, "Warning", sentence)]
    assert condition(status, "TokenAccepted") == "True"


def test_an_audience_that_the_api_server_shares_is_a_warning(stage: Stage) -> None:
    """Every pod's default token would be good for STS."""
    second = stage.cluster.addresses[1]
    sentence = f'{second} accepts tokens for "{AUDIENCE}" as tokens for itself: it is among its --api-audiences.'
    assert said(stage.wait_ready()["status"], "AudienceShared") == [(second, "Warning", sentence)]


def test_a_policy_below_the_maximum_names_both(stage: Stage) -> None:
    """A changed policy is looked at at once."""
    stage.apply(issuer(stage, "1h30m"))
    status = stage.wait_ready()["status"]
    assert [subject for subject, *_ in said(status, "TokenOutlivesPolicy")] == stage.cluster.addresses


def test_what_is_mended_is_over_within_a_minute(stage: Stage) -> None:
    """Without a change of the issuer: the flags are set right, and both API servers are asked again and found good.

    One that a pass finds away is asked by the pass that finds it back; tests/unit holds the minute of the others.
    """
    stage.apply(issuer(stage, "2h"))
    assert said(stage.wait_ready()["status"], "AudienceShared")
    stage.cluster.restart(1, stage.cluster.configs[0])

    def over(status: Object) -> bool:
        accepted = next(c for c in status["conditions"] if c["type"] == "TokenAccepted")
        both = accepted["status"] == "True" and "2 API servers" in accepted["message"]
        return both and not (said(status, "TokenOutlivesPolicy") or said(status, "AudienceShared"))

    stage.wait(over, what="both are good", timeout_s=75)
    time.sleep(5)
    assert over(stage.get()["status"]), "it was asked again, not forgotten"
