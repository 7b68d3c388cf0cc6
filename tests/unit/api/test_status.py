"""The status: written without nulls in whole seconds, read whoever wrote it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oidc_publisher.api import (
    OIDCIssuerStatus,
    StatusCacheAge,
    StatusCondition,
    StatusEndpoint,
    StatusFinding,
    StatusKey,
    StatusKeyOrigin,
    StatusLedger,
    StatusPublication,
    format_time,
    read_issuer,
    read_status,
    to_status_json,
)
from tests.api_objects import good_objects

T = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
FULL = OIDCIssuerStatus(
    observed_generation=3,
    last_handled_reconcile_at="x",
    conditions=(
        StatusCondition(type="Ready", status="True", reason="Proven", message="Good.", last_transition_time=T),
    ),
    findings=(StatusFinding(reason="PrePublishing", severity="Info", subject="k2", message="Wait.", since_time=T),),
    issuer_url="https://oidc.example.com/prod",
    jwks_uri="https://oidc.example.com/prod/openid/v1/jwks",
    signing_key_ids=("k1",),
    keys=(
        StatusKey(
            key_id="k2",
            version="9007199254740993000000000000",
            version_named=True,
            origins=(StatusKeyOrigin(source="api"), StatusKeyOrigin(source="next", entry="a.pub")),
            stale_age=timedelta(hours=24),
            safe_to_sign_time=T,
        ),
        StatusKey(key_id="k1", version="8", baseline=True, retire_time=T),
    ),
    publication=StatusPublication(location="s3://b/p", key_count=2, serial=7, last_change_time=T),
    ledger=StatusLedger(
        next_version="9",
        cache_ages=(StatusCacheAge(age=timedelta(seconds=2**32), until_time=T),),
        endpoints=(StatusEndpoint(address="10.0.0.1:6443", key_id="k1"),),
    ),
    last_proven_time=T,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2026-01-31T12:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _full() -> dict[str, Any]:
    return to_status_json(FULL)


def _paths(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(below for step, child in children for below in _paths(child, (*path, step)))]


PATHS = _paths(to_status_json(FULL))


def test_what_is_written_is_read_back() -> None:
    """Nothing is lost on the way through the API server."""
    assert read_status({"status": json.loads(json.dumps(_full()))}) == (FULL, ())


def test_names_times_and_durations_on_the_wire() -> None:
    """As the API has them: camel case, RFC 3339 with Z, durations in the one form."""
    written = _full()
    key = written["keys"][0]
    assert key["keyID"] == "k2"
    assert key["safeToSignTime"] == "2026-01-31T12:00:00Z"
    assert key["staleAge"] == "24h"
    assert written["jwksURI"].endswith("/openid/v1/jwks")
    assert written["ledger"]["cacheAges"] == [{"age": "1193046h28m16s", "untilTime": "2026-01-31T12:00:00Z"}]


def test_there_are_no_nulls() -> None:
    """An absent member is absent; empty lists are there, so that a merge patch empties them."""
    assert "null" not in json.dumps(_full())
    assert to_status_json(OIDCIssuerStatus()) == {"conditions": [], "findings": [], "signingKeyIDs": [], "keys": []}


def test_times_are_rounded_up_to_seconds_in_utc() -> None:
    """Every base time errs late."""
    east = timezone(timedelta(hours=2))
    status = OIDCIssuerStatus(last_proven_time=datetime(2026, 1, 31, 14, 0, 0, 1, tzinfo=east))
    assert status.last_proven_time == T + timedelta(seconds=1)
    assert format_time(T) == "2026-01-31T12:00:00Z"


def test_a_time_without_a_zone_is_a_mistake_of_ours() -> None:
    """It is refused where it is made, not where it is read."""
    with pytest.raises(ValidationError):
        OIDCIssuerStatus(last_proven_time=T.replace(tzinfo=None))


@pytest.mark.parametrize("obj", [{}, {"status": None}, {"status": {}}, None, "text"])
def test_no_status_is_an_empty_status(obj: Any) -> None:
    """Nothing was dropped, for nothing was there."""
    assert read_status(obj) == (OIDCIssuerStatus(), ())


def test_a_status_that_is_no_object_is_dropped_whole() -> None:
    """And named as such."""
    assert read_status({"status": ["x"]}) == (OIDCIssuerStatus(), ("status",))


def test_a_bad_key_does_not_lose_the_good_ones() -> None:
    """A key without an ID is dropped; it could not be told from another one."""
    raw = _full()
    raw["keys"].insert(1, {"version": "7"})
    raw["keys"].insert(0, "text")
    status, dropped = read_status({"status": raw})
    assert status.keys == FULL.keys
    assert dropped == ("keys[0]", "keys[2]")


@pytest.mark.parametrize(
    ("path", "vouched"),
    [
        (("keys", 0, "retireTime"), False),
        (("keys", 0), False),
        (("ledger", "cacheAges"), False),
        (("ledger", "lastCompletePassTime"), False),
        (("publication", "jwksDigest"), False),
        (("findings", 0), True),
        (("lastProvenTime",), True),
    ],
)
def test_the_serial_vouches_for_the_whole_ledger(path: tuple[str | int, ...], vouched: bool) -> None:
    """Where a part of the ledger is dropped the serial goes with it, so that R9 rebuilds it from the store."""
    raw = _full()
    node: Any = raw
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = {"not": ["this"]}
    status, dropped = read_status({"status": raw})
    assert dropped
    assert status.publication is not None
    assert (status.publication.serial is not None) == vouched


def test_a_bad_member_does_not_lose_its_key() -> None:
    """The key stays in the ledger without it, and at worst waits longer."""
    raw = _full()
    raw["keys"][0] |= {"safeToSignTime": "tomorrow", "staleAge": "1d", "versionNamed": "yes"}
    status, dropped = read_status({"status": raw})
    assert status.keys[0] == FULL.keys[0].model_copy(
        update={"safe_to_sign_time": None, "stale_age": None, "version_named": None}
    )
    assert status.keys[1] == FULL.keys[1]
    assert set(dropped) == {"keys[0].safeToSignTime", "keys[0].staleAge", "keys[0].versionNamed"}


def test_bad_entries_below_a_key_and_the_ledger_are_dropped_alone() -> None:
    """However deep they are."""
    raw = _full()
    raw["keys"][0]["origins"].append({"entry": "no source"})
    raw["ledger"]["endpoints"].append({"keyID": "k1"})
    raw["ledger"]["cacheAges"].append({"age": "5m", "untilTime": "2026-01-31T12:00:00"})
    raw["publication"]["serial"] = "seven"
    status, dropped = read_status({"status": raw})
    assert status.ledger == FULL.ledger
    assert status.keys == FULL.keys
    assert status.publication is not None
    assert (status.publication.serial, status.publication.key_count) == (None, 2)
    assert {name.split(".")[0] for name in dropped} == {"keys[0]", "ledger", "publication"}


def test_a_list_that_is_no_list_is_dropped_alone() -> None:
    """The rest of the status stays."""
    raw = _full() | {"keys": {"k1": {}}, "signingKeyIDs": ["k1", 5, "k1"]}
    status, dropped = read_status({"status": raw})
    assert status.keys == ()
    assert FULL.publication is not None
    assert status.publication == FULL.publication.model_copy(update={"serial": None})
    assert "keys" in dropped
    assert "signingKeyIDs[1]" in dropped


def test_words_of_another_version_are_kept() -> None:
    """States, severities and members that this version does not know are no reason to drop anything."""
    raw = _full()
    raw["keys"][0] |= {"state": "Embargoed", "embargoTime": "2026-01-31T12:00:00Z"}
    raw["findings"][0]["severity"] = "Dreadful"
    status, dropped = read_status({"status": raw})
    assert status.keys[0].state == "Embargoed"
    assert status.findings[0].severity == "Dreadful"
    assert dropped == ()


@given(_JSON)
def test_reading_never_raises(raw: Any) -> None:
    """Whatever is there."""
    read_status({"status": raw})


@given(st.sampled_from(PATHS[1:]), _JSON)
def test_damage_in_one_place_stays_there(path: tuple[str | int, ...], damage: Any) -> None:
    """Damage to one key, at any depth, leaves the other key as it was."""
    raw = _full()
    node: Any = raw
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = damage
    status, _ = read_status({"status": raw})
    hit = path[1] if path[0] == "keys" and len(path) > 1 else None
    kept = {k.key_id: k for k in status.keys}
    for index, key in enumerate(FULL.keys):
        if path != ("keys",) and index != hit:
            assert kept[key.key_id] == key


def test_a_damaged_status_does_not_spoil_the_issuer() -> None:
    """The spec is read strictly, the status beside it with patience."""
    document = good_objects()["smallest"]
    assert read_issuer(document | {"status": {"keys": [{"keyID": "k"}, 5]}}).status.keys[0].key_id == "k"
    assert read_issuer(document).status.conditions[0].reason == "WaitingForOperator"
