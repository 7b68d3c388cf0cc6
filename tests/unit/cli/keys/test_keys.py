"""`keys list`, `rotate`, `trim` and `withdraw`, against an API server that a test scripts."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.support.apistub import APIStub, Handler, refuses, says
from tests.support.commands import COLLECTION, PATH, call, has, has_no_such_path, ready_now

pytestmark = pytest.mark.usefixtures("kubeconfig")

RING = "/apis/oidc-publisher.io/v1alpha1/signingkeyrings/default"
#: Long after every time below, so that what is seen in 2099 is always new.
LATE = "2099-01-01T00:00:00Z"
STATUS: dict[str, Any] = {
    "highest": "10",
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Succeeded",
            "message": "Good.",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
    "versions": [
        {
            "version": "10",
            "keyID": "kid-10",
            "algorithm": "RS256",
            "state": "Signing",
            "signingSinceTime": "2026-01-01T00:00:00Z",
        },
        {"version": "9", "keyID": "kid-9", "algorithm": "ES256", "state": "VerifyOnly", "imported": True},
    ],
    "signers": [
        {"node": "a", "version": "10", "lastSeenTime": LATE},
        {"node": "b", "version": "10", "lastSeenTime": LATE},
    ],
}


def ring(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """A ring of which version 10 signs at two signers."""
    return {
        "apiVersion": "oidc-publisher.io/v1alpha1",
        "kind": "SigningKeyRing",
        "metadata": {"name": "default", "resourceVersion": "42"},
        "spec": spec or {},
        "status": copy.deepcopy(STATUS) | status,
    }


def patches(api: APIStub) -> list[tuple[str, Any]]:
    """Path and body of every patch."""
    return [(seen.path, seen.body) for seen in api.seen if seen.method == "PATCH"]


@pytest.fixture(autouse=True)
def _unseen(api: APIStub, kubeconfig: object) -> None:
    assert kubeconfig
    api.seen.clear()
    api.on("GET", RING, says(ring()))
    api.on("PATCH", RING, says(ring()))


class TestList:
    """`keys list`: a table for people, values for programs."""

    def test_the_table_has_a_line_for_each_version(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """Newest first, with the nodes that sign, and what is waited for."""
        waiting = "version 11: 10.0.0.12:6443 does not list it (OIDCIssuer prod)"
        api.on("GET", RING, says(ring(waitingFor=waiting, nextRotationTime=LATE)))
        assert call("keys", "list") == 0
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert lines[0] == "VERSION STATE SIGNERS SINCE ALGORITHM KID"
        assert lines[1].startswith("10 Signing a, b 2026-01-01T00:00:00Z (")
        assert lines[1].endswith("ago) RS256 kid-10")
        assert lines[2] == "9 VerifyOnly (imported) - - ES256 kid-9"
        assert lines[4] == f"Waiting for {waiting}."
        assert lines[6].startswith("The next version is made at 2099-01-01T00:00:00Z (in ")

    def test_a_ring_that_is_not_ready_says_so(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """Also one that no signer has seen."""
        condition = STATUS["conditions"][0] | {"status": "False", "reason": "RingBehind"}
        api.on("GET", RING, says(ring(conditions=[condition])))
        assert call("keys", "list") == 0
        assert "The ring is not Ready: RingBehind." in capsys.readouterr().out
        api.on("GET", RING, says(ring(conditions=[], versions=[], signers=[])))
        assert call("keys", "list") == 0
        assert "WaitingForSigner" in capsys.readouterr().out

    def test_programs_get_the_same(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With the names of the API."""
        assert call("keys", "list", "-o", "json") == 0
        page = json.loads(capsys.readouterr().out)
        assert (page["ready"], page["keys"][0]["keyID"], page["keys"][0]["signers"]) == ("True", "kid-10", ["a", "b"])
        assert page["keys"][1]["imported"] is True

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (refuses(404, "NotFound", "gone"), "There is no SigningKeyRing default in this cluster"),
            (has_no_such_path, "There is no SigningKeyRing default in this cluster"),
            (refuses(403, "Forbidden", "signingkeyrings is forbidden"), "forbidden"),
        ],
        ids=["no-ring", "no-crd", "forbidden"],
    )
    def test_without_a_ring_there_is_no_answer(
        self, answer: Handler, said: str, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Whatever is missing, with one line on stderr."""
        api.on("GET", RING, answer)
        assert call("keys", "list") == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert said in shown.err


class TestRotate:
    """`keys rotate`: one number, under the version that was read."""

    def test_the_next_version_is_asked_for(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """One above the highest there ever was."""
        assert call("keys", "rotate") == 0
        assert patches(api) == [(RING, {"metadata": {"resourceVersion": "42"}, "spec": {"newestVersion": "11"}})]
        assert capsys.readouterr().out.startswith("Version 11 is asked for.")

    @pytest.mark.parametrize(
        ("obj", "said"),
        [
            (ring({"newestVersion": "11"}), "Version 11 is asked for already, and not made yet."),
            (
                ring(versions=[{"version": "11", "state": "Waiting"}], highest="11", waitingFor="version 11: a reason"),
                "Version 11 does not sign everywhere yet. It waits for version 11: a reason.",
            ),
            (
                ring(versions=[{"version": "11", "state": "Allowed"}], highest="11"),
                "Version 11 does not sign everywhere",
            ),
        ],
        ids=["asked", "waiting", "allowed"],
    )
    def test_nothing_is_asked_for_while_one_is_on_its_way(
        self, obj: dict[str, Any], said: str, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It says which, and why it waits."""
        api.on("GET", RING, says(obj))
        assert call("keys", "rotate") == 1
        assert capsys.readouterr().out.startswith(said)
        assert patches(api) == []

    def test_a_former_version_is_on_its_way_nowhere(self, api: APIStub) -> None:
        """It is Allowed as the new one is, until no API server has signed with it for two intervals."""
        former = {"version": "9", "keyID": "kid-9", "state": "Allowed"}
        api.on("GET", RING, says(ring(versions=[STATUS["versions"][0], former])))
        assert call("keys", "rotate") == 0
        assert patches(api)[0][1]["spec"] == {"newestVersion": "11"}

    def test_without_any_report_nobody_knows_the_next_number(
        self, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A guess could be a number that was used."""
        api.on("GET", RING, says(ring(highest="")))
        assert call("keys", "rotate") == 2
        assert "No signer has reported yet" in capsys.readouterr().err

    def test_somebody_elses_change_is_not_overwritten(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """The API server refuses, and the command says so."""
        api.on("PATCH", RING, refuses(409, "Conflict", "the object has been modified"))
        assert call("keys", "rotate") == 2
        assert capsys.readouterr().err.startswith("Error: ")

    @pytest.mark.slow
    def test_with_wait_it_ends_when_every_signer_signs_with_it(
        self, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A signer that has not reported for a while is named, and not waited for."""
        new = {"version": "11", "keyID": "kid-11", "state": "Signing"}
        signers = [
            {"node": "a", "version": "11", "lastSeenTime": LATE},
            {"node": "b", "version": "10", "lastSeenTime": LATE},
            {"node": "gone", "version": "9", "lastSeenTime": "2020-01-01T00:00:00Z"},
        ]
        half = ring(versions=[new, *STATUS["versions"]], signers=signers, highest="11")
        whole = copy.deepcopy(half)
        whole["status"]["signers"][1]["version"] = "11"
        api.on("GET", RING, says(ring()), says(ring(waitingFor="version 11: a reason")), says(half), says(whole))
        assert call("keys", "rotate", "--wait") == 0
        shown = capsys.readouterr()
        assert shown.out == "Every signer signs with version 11. Nothing was heard of gone.\n"
        assert "Waiting for version 11: a reason." in shown.err
        assert "Waiting for version 11: b to begin with it." in shown.err

    @pytest.mark.slow
    def test_with_wait_it_is_1_when_the_time_is_up(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With what it waited for."""
        assert call("keys", "rotate", "--wait", "--timeout", "1s") == 1
        assert capsys.readouterr().out == (
            "Version 11 does not sign everywhere yet: version 11: a, b to begin with it.\n"
        )


class TestTrim:
    """`keys trim`: only what verifies alone, and imported versions only on a second word."""

    def test_what_still_signs_is_not_let_go(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """It says which."""
        assert call("keys", "trim", "--before", "11", "--yes") == 1
        assert capsys.readouterr().out.startswith("Version 10 is Signing: it only verifies")
        assert patches(api) == []

    def test_an_imported_version_wants_a_second_word(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """Tokens that never expire may need it."""
        assert call("keys", "trim", "--before", "10") == 1
        assert "kubernetes.io/service-account-token may need it for good" in capsys.readouterr().out
        assert patches(api) == []
        assert call("keys", "trim", "--before", "10", "--yes") == 0
        assert patches(api)[0][1]["spec"] == {"trimBefore": "10"}


class TestWithdraw:
    """`keys withdraw`: in every issuer of the cluster's API servers."""

    def test_a_key_is_withdrawn_in_each_issuer_of_this_cluster(
        self, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Beside what was withdrawn before; an issuer of other keys, or of a remote cluster's, is left alone."""
        own = ready_now()
        own["metadata"]["resourceVersion"] = "7"
        own["spec"]["rotation"] = {"withdrawnKeyIDs": ["old"]}
        other = ready_now()
        other["metadata"]["name"] = "other"
        other["spec"]["keySources"] = [{"name": "c", "configMap": {"namespace": "n", "name": "c"}}]
        remote = ready_now()
        remote["metadata"]["name"] = "remote"
        place = {"namespace": "n", "name": "s"}
        remote["spec"]["keySources"] = [{"apiServer": {"kubeconfigSecret": place, "probeServiceAccount": place}}]
        api.on("GET", COLLECTION, says({"kind": "OIDCIssuerList", "metadata": {}, "items": [own, other, remote]}))
        api.on("PATCH", PATH, has(own))
        assert call("keys", "withdraw", "kid-10", "--yes") == 0
        body = {"metadata": {"resourceVersion": "7"}, "spec": {"rotation": {"withdrawnKeyIDs": ["old", "kid-10"]}}}
        assert patches(api) == [(PATH, body)]
        assert capsys.readouterr().out == "Key kid-10 is withdrawn in OIDCIssuer prod.\n"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["kid-10"], "Tokens of version 10 would be refused everywhere at once."),
            (["kid", "--yes"], "has no key kid;"),
        ],
        ids=["without-yes", "unknown"],
    )
    def test_nothing_is_withdrawn_by_mistake(
        self, arguments: list[str], said: str, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Neither without a second word, nor a part of a key ID."""
        assert call("keys", "withdraw", *arguments) == 1
        assert said in capsys.readouterr().out
        assert patches(api) == []

    def test_without_an_issuer_nothing_can_be_withdrawn(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """That is no success."""
        api.on("GET", COLLECTION, says({"kind": "OIDCIssuerList", "metadata": {}, "items": []}))
        assert call("keys", "withdraw", "kid-10", "--yes") == 1
        assert "There is no OIDCIssuer" in capsys.readouterr().out

    def test_a_right_that_is_missing_is_2_and_says_what_was_done(
        self, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Some issuers may be changed already."""
        first, second = ready_now(), ready_now()
        second["metadata"]["name"] = "second"
        api.on("GET", COLLECTION, says({"kind": "OIDCIssuerList", "metadata": {}, "items": [first, second]}))
        api.on("PATCH", PATH, has(first))
        api.on("PATCH", PATH.replace("prod", "second"), refuses(403, "Forbidden", "no"))
        assert call("keys", "withdraw", "kid-10", "--yes") == 2
        assert "In prod it is withdrawn." in capsys.readouterr().err
