"""Whose documents they are: one place has one owner, and passes from one to the next by a person's word alone."""

from __future__ import annotations

import json
import time
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from oidc_publisher.documents import discovery_document
from tests.live.places import (
    DISCOVERY,
    JWKS,
    SEVERAL_LOOKS_S,
    event,
    events,
    key_of,
    message,
    owners,
    patch,
    published,
    until,
)
from tests.support import faults
from tests.support.processes import free_port
from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import BUCKET, Stage, condition, reasons

OTHERS_MARK = {
    "oidc-publisher-owner": "11111111-2222-4333-8444-555555555555/old",
    "oidc-publisher-serial": "41",
    "oidc-publisher-token-lifetime": "10",
    "oidc-publisher-stale-age": "2",
}


def test_of_two_issuers_at_one_place_exactly_one_publishes(stage: Stage) -> None:
    """The second one names the owner and the ways to take over, and changes nothing; the first one is not disturbed."""
    stage.apply(stage.issuer())
    stage.wait_ready()
    before = stage.s3.get_object(BUCKET, JWKS)
    stage.apply(stage.issuer("second"))
    found = stage.wait_for_reason("DocumentsNotOurs", name="second")
    told = message(found, "Published")
    assert "/prod)" in told
    assert all(value in told for value in ("spec.adoption", "Merge", "Replace"))
    assert condition(found["status"], "Stalled") == "True"
    assert "location" not in found["status"].get("publication", {})
    stage.edge.forget_requests()
    time.sleep(SEVERAL_LOOKS_S)
    assert stage.edge.writes() == 0
    after = stage.s3.get_object(BUCKET, JWKS)
    assert before is not None
    assert after is not None
    assert after["LastModified"] == before["LastModified"]
    assert stage.conditions()["Ready"] == ("True", "Proven")


def test_two_issuers_that_begin_together_do_not_both_publish(stage: Stage) -> None:
    """Both find an empty place: one creates the documents, the other loses the race and can still take over by one field."""
    stage.edge.misbehave("openid/v1/jwks$", faults.delayed(0.5), methods=("PUT",))
    for name in ("left", "right"):
        stage.apply(stage.issuer(name))

    def winners() -> list[str]:
        return [n for n in ("left", "right") if condition(stage.get(n).get("status", {}), "Published") == "True"]

    until(lambda: len(winners()) == 1, "one has published")
    (winner,) = winners()
    loser = "right" if winner == "left" else "left"
    stage.wait_for_reason("DocumentsNotOurs", name=loser)
    assert owners(stage) == {winner}
    patch(stage, loser, adoption="Merge")
    stage.wait(lambda s: condition(s, "Published") == "True", what="the loser takes over", name=loser)
    stage.wait_for_reason("OwnershipLost", name=winner)
    assert owners(stage) == {loser}


def test_two_operators_of_the_same_object_are_told_and_leave_the_documents_alone(stage: Stage) -> None:
    """Two releases in one cluster, or two replicas of a shard: a finding, and a metric of each that is scraped."""
    stage.apply(stage.issuer())
    stage.wait_ready()
    serial, port = stage.get()["status"]["publication"]["serial"], free_port()
    before = len(stage.operator.log())
    finding = 'oidc_publisher_findings{issuer="prod",reason="SecondOperator",severity="Warning"} 1.0\n'
    with stage.make_operator(f"--metrics-address=127.0.0.1:{port}", name="second") as second:
        for number in range(40):  # each generation is proven anew, by whoever comes first
            patch(stage, interval=f"{2 + number % 2}s")
            generation = stage.get()["metadata"]["generation"]
            stage.wait(lambda s, g=generation: s.get("observedGeneration") == g, what="a pass over the change")  # type: ignore[misc]
            if "SecondOperator" in stage.reasons():
                break
        until(lambda: finding in _metrics(port), "the other operator is in the metrics", 60)
        rested = _rested(port)
        until(
            lambda: _rested(port) > rested + 2,
            "passes at rest: neither takes out what the other has found",
            60,
        )
        found = stage.wait_for_reason("SecondOperator")
        assert condition(found["status"], "Ready") == "True"
        assert found["status"]["publication"]["serial"] == serial, "no document was written"
    passes = [
        json.loads(line)
        for line in (stage.operator.log()[before:] + second.log()).splitlines()
        if "pass has ended" in line
    ]
    assert len([one for one in passes if "findings" in one["changed"]]) < 6, "each is a write of the status"


def _rested(port: int) -> float:
    return float(
        _metrics(port).partition('reconciles_total{issuer="prod",result="unchanged"} ')[2].split(maxsplit=1)[0]
    )


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        page: str = answer.read().decode()
        return page


def test_the_one_that_lost_stops_for_good(stage: Stage) -> None:
    """OwnershipLost, Stalled, no write, no further word; adoption does not bring it back, what the message says does."""
    stage.apply(stage.issuer())
    stage.wait_ready()
    stage.apply(stage.issuer("second", adoption="Merge"))
    stage.wait_ready(name="second")
    lost = stage.wait_for_reason("OwnershipLost")
    assert "/second" in message(lost, "Published")
    assert condition(lost["status"], "Ready") == "False"
    assert condition(lost["status"], "Stalled") == "True"
    patch(stage, adoption="Replace")
    stage.wait(lambda s: s.get("observedGeneration") == 2 and "OwnershipLost" in reasons(s), what="still lost")
    second = stage.get("second")["status"]["publication"]["serial"]
    time.sleep(SEVERAL_LOOKS_S)
    found = stage.get()["status"]
    assert found["publication"]["location"] == f"s3://{BUCKET}/prod"
    assert not {"RetirementBlocked", "RetirementOverdue", "StoreUnavailable"} & reasons(found)
    assert stage.get("second")["status"]["publication"]["serial"] == second, "nobody fights"
    assert owners(stage) == {"second"}
    assert len(events(stage, "OwnershipLost")) <= 2, "one for each generation at most"

    stage.cluster.kubectl("delete", "oidci/second", "--wait=true")
    stage.cluster.kubectl("delete", "oidci/prod", "--wait=true")
    stage.apply(stage.issuer(adoption="Merge"))
    stage.wait_ready()
    assert owners(stage) == {"prod"}


def test_a_second_writer_under_our_own_mark_stops_us_until_a_person_says_go_on(stage: Stage) -> None:
    """A clone of the cluster wrote its own key set: it stays untouched, over a restart as well, until the documented step."""
    stage.apply(stage.issuer())
    stage.wait_ready()
    theirs = signing_key("P-256", "clone")
    ours = stage.s3.client.head_object(Bucket=BUCKET, Key=JWKS)["Metadata"]
    mark = ours | {"oidc-publisher-nonce": "00000000000000c1", "oidc-publisher-serial": "7"}
    body = json.dumps({"keys": [_jwk(theirs)]}).encode()
    headers = {"ContentType": "application/json", "CacheControl": "public, max-age=2", "Metadata": mark}
    stage.s3.put(BUCKET, JWKS, body, **headers)
    lost = stage.wait_for_reason("OwnershipLost")
    assert f"its serial is 7, ours is {ours['oidc-publisher-serial']}" in message(lost, "Published")
    assert condition(lost["status"], "Stalled") == "True"
    assert "safeSinceTime" not in key_of(lost["status"], stage.key.kid)

    stage.operator.restart()
    stage.wait(lambda s: "OwnershipLost" in reasons(s), what="still lost")
    time.sleep(SEVERAL_LOOKS_S)
    assert stage.s3.get(BUCKET, JWKS) == body

    step = json.dumps({"status": {"ledger": {"secondWriterTime": None}}})
    stage.cluster.kubectl("patch", "oidcissuer", "prod", "--subresource=status", "--type=merge", "-p", step)
    until(lambda: published(stage) == {theirs.kid, stage.key.kid}, "both clusters' keys")
    status = stage.wait_ready()["status"]
    assert "OwnershipLost" not in reasons(status)
    assert "secondWriterTime" not in status["ledger"]


def test_merge_keeps_the_usable_keys_of_unmarked_documents(stage: Stage) -> None:
    """Foreign keys stay, as old as the object and for a day; a private and an unusable one are left out and named."""
    foreign, other = signing_key("P-256", "foreign"), signing_key("P-384", "other")
    members = [
        _jwk(foreign),
        _jwk(stage.key),
        {**_jwk(other), "d": "AAAA"},
        {"kty": "oct", "kid": "symmetric", "k": "AA"},
    ]
    stage.s3.put(BUCKET, JWKS, json.dumps({"keys": members}).encode(), ContentType="application/json")
    stage.s3.put(BUCKET, DISCOVERY, _discovery(stage), ContentType="application/json")
    stored = _last_modified(stage)
    time.sleep(2)  # so that the object is older than what follows
    stage.apply(stage.issuer())
    refused = stage.wait_for_reason("DocumentsNotOurs")
    assert "owner: none" in message(refused, "Published")
    assert published(stage) == {foreign.kid, stage.key.kid, other.kid, "symmetric"}

    patch(stage, adoption="Merge")
    status = stage.wait_ready()["status"]
    assert published(stage) == {foreign.kid, stage.key.kid}
    kept, inherited = key_of(status, foreign.kid), key_of(status, stage.key.kid)
    assert kept["publishedTime"] == inherited["publishedTime"] == stored
    assert kept["servedSinceTime"] > stored, "since when the public URL leads to them nobody knows"
    assert (kept["tokenLifetime"], inherited["tokenLifetime"]) == ("24h", "24h")
    assert "origins" not in kept or kept["origins"] == []
    assert "safeSinceTime" in inherited
    assert "SignedBeforeSafe" not in reasons(status)
    told = event(stage, "DocumentsAdopted")
    assert told["type"] == "Warning"
    assert "private" in told["note"]
    assert "symmetric" in told["note"]


def test_replace_writes_over_them_at_once(stage: Stage) -> None:
    """Their keys are gone, and a key of ours that signs is not called safe: caches hold sets without it."""
    foreign = signing_key("P-256", "foreign")
    _leave_documents(stage, foreign)
    stage.apply(stage.issuer(adoption="Replace"))
    status = stage.wait_ready()["status"]
    assert published(stage) == {stage.key.kid}
    assert owners(stage) == {"prod"}
    assert "SignedBeforeSafe" in reasons(status)
    assert event(stage, "DocumentsAdopted")["type"] == "Normal"
    done = stage.wait(lambda s: condition(s, "SafeToSign") == "True", what="SafeToSign")
    assert "SignedBeforeSafe" not in reasons(done["status"])


def test_a_kill_between_saving_the_merged_ledger_and_the_write_merges_once(stage: Stage) -> None:
    """The place is not called ours before it is; the next process adopts again, and nothing enters twice."""
    foreign = signing_key("P-256", "foreign")
    _leave_documents(stage, foreign)
    stage.edge.misbehave("openid/v1/jwks$", faults.delayed(60), methods=("PUT",))
    stage.apply(stage.issuer(adoption="Merge"))
    saved = stage.wait(lambda s: s.get("publication", {}).get("serial") == 1, what="the saved ledger")["status"]
    assert "location" not in saved["publication"]
    assert {key["keyID"] for key in saved["keys"]} == {foreign.kid, stage.key.kid}
    stage.operator.kill()
    stage.edge.heal()
    assert published(stage) == {foreign.kid}
    stage.operator.start()
    status = stage.wait_ready()["status"]
    assert published(stage) == {foreign.kid, stage.key.kid}
    assert len(status["keys"]) == 2
    assert key_of(status, foreign.kid)["servedSinceTime"] == key_of(saved, foreign.kid)["servedSinceTime"]


def test_a_kill_before_the_first_write_leaves_the_place_to_whoever_comes_first(stage: Stage) -> None:
    """A rival that creates the documents meanwhile is found to be their owner, and can still be taken over."""
    stage.edge.misbehave("openid/v1/jwks$", faults.delayed(60), methods=("PUT",))
    stage.apply(stage.issuer())
    stage.wait(lambda s: s.get("publication", {}).get("serial") == 1, what="the saved ledger")
    stage.operator.kill()
    stage.edge.heal()
    foreign = signing_key("P-256", "foreign")
    _leave_documents(stage, foreign)
    stage.operator.start()
    found = stage.wait_for_reason("DocumentsNotOurs")
    assert "/old)" in message(found, "Published")
    patch(stage, adoption="Merge")
    stage.wait_ready()
    assert published(stage) == {foreign.kid, stage.key.kid}


def test_a_take_over_that_was_cut_short_goes_on(stage: Stage) -> None:
    """The key set is ours already and the discovery document is not: the former owner stops, the taker finishes."""
    stage.apply(stage.issuer())
    stage.wait_ready()
    stage.edge.fail("PUT", f"/{BUCKET}/{DISCOVERY}$", 403, code="AccessDenied")
    stage.apply(stage.issuer("second", adoption="Merge"))
    stage.wait_for_reason("AccessDenied", name="second")
    stage.wait_for_reason("OwnershipLost")
    assert owners(stage) == {"prod", "second"}
    stage.operator.restart()
    stage.wait_for_reason("AccessDenied", name="second")
    stage.edge.heal()
    stage.wait(lambda s: condition(s, "Published") == "True", what="the take-over", name="second")
    assert owners(stage) == {"second"}


def test_documents_of_another_issuer_or_another_key_set_path_are_not_merged(stage: Stage) -> None:
    """Every live token would be refused: the message says with which field a new object keeps them valid, and that one does."""
    foreign = signing_key("P-256", "foreign")
    body = json.dumps({"keys": [_jwk(foreign)]}).encode()
    stage.s3.put(BUCKET, "prod/keys.json", body, ContentType="application/json")
    theirs = discovery_document(stage.issuer_url, f"{stage.issuer_url}/keys.json", ["ES256"])
    stage.s3.put(BUCKET, DISCOVERY, theirs, ContentType="application/json")
    stage.apply(stage.issuer(adoption="Merge"))
    found = stage.wait_for_reason("DocumentsOfAnotherIssuer")
    assert "spec.jwksPath: keys.json" in message(found, "Published")
    assert condition(found["status"], "Stalled") == "True"
    assert stage.s3.get(BUCKET, DISCOVERY) == theirs
    stage.cluster.kubectl("delete", "oidci/prod", "--wait=true")

    stage.apply(stage.issuer(adoption="Merge", jwksPath="keys.json"))
    stage.wait_ready()
    assert published(stage, "prod/keys.json") == {foreign.kid, stage.key.kid}


def _discovery(stage: Stage) -> bytes:
    return discovery_document(stage.issuer_url, f"{stage.issuer_url}/openid/v1/jwks", ["RS256"])


def _jwk(key: SigningKey) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    numbers = json.loads(algorithm.to_jwk(load_pem_public_key(key.public_pem)))
    return {**numbers, "kid": key.kid, "use": "sig", "alg": key.algorithm}


def _leave_documents(stage: Stage, *keys: SigningKey) -> None:
    """Documents that a cluster left which is no more."""
    body = json.dumps({"keys": [_jwk(key) for key in keys]}).encode()
    headers = {"ContentType": "application/json", "CacheControl": "public, max-age=2", "Metadata": OTHERS_MARK}
    stage.s3.put(BUCKET, JWKS, body, **headers)
    stage.s3.put(BUCKET, DISCOVERY, _discovery(stage), **headers)


def _last_modified(stage: Stage) -> str:
    answer = stage.edge.fetch(f"/{BUCKET}/{JWKS}")
    return parsedate_to_datetime(answer.headers["Last-Modified"]).strftime("%Y-%m-%dT%H:%M:%SZ")
