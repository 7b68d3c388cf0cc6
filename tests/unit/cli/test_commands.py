"""The commands as they are typed, against an API server that answers as a test tells it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.apistub import APIStub, Handler, refuses, says
from tests.support.commands import EVENTS, PATH, call, has, has_no_such_path, operator_answers, ready_now
from tests.support.statuses import OLD, condition, issuer_object


@pytest.mark.usefixtures("kubeconfig")
class TestStatus:
    """`status`: 0, 1 and 2, and in which form."""

    def test_a_ready_issuer_is_0(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Its page is on stdout."""
        assert call("status", "oidci/prod") == 0
        said = capsys.readouterr()
        assert said.out.startswith("prod  Ready: True  Proven\n")
        assert said.err == ""

    @pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
    def test_programs_get_the_same_page(self, output: str, read: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """In JSON and in YAML."""
        assert call("status", "prod", "-o", output) == 0
        page = read(capsys.readouterr().out)
        assert (page["name"], page["proven"], page["events"]) == ("prod", True, [])

    def test_an_issuer_that_is_not_ready_is_1(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """Quiet, the exit code is all."""
        broken = condition("Ready", "False", "AccessBlocked")
        api.on("GET", PATH, says(ready_now(conditions=[broken])))
        assert call("status", "prod", "-q") == 1
        assert capsys.readouterr().out == ""

    @pytest.mark.slow
    def test_a_machine_whose_clock_is_behind_believes_no_old_proof(
        self, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The API server says what time it is: this operator has been away for two days."""
        later = {"Date": format_datetime(datetime.now(UTC) + timedelta(days=2), usegmt=True)}
        api.on("GET", PATH, says(ready_now(), headers=later))
        api.on("GET", EVENTS, says({"kind": "EventList", "metadata": {}, "items": []}, headers=later))
        assert call("status", "prod") == 1
        assert "The last proof is too old" in capsys.readouterr().out
        assert call("wait", "prod", "--for=Ready", "--timeout", "1s") == 2
        assert "the operator does not look any more" in capsys.readouterr().err

    def test_events_that_may_not_be_read_are_a_line(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """The page stands without them."""
        api.on("GET", EVENTS, refuses(403, "Forbidden", "events is forbidden"))
        assert call("status", "prod") == 0
        assert "The events could not be read: " in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (refuses(404, "NotFound", "not found"), "There is no OIDCIssuer prod in this cluster."),
            (has_no_such_path, "This cluster has no OIDCIssuers: its CustomResourceDefinition is not installed."),
            (
                refuses(403, "Forbidden", "no"),
                "You may not read OIDCIssuer prod (verb get on oidcissuers.oidc-publisher.io)",
            ),
            (refuses(401, "Unauthorized", "no"), "The API server does not accept your credentials."),
            (refuses(503, "ServiceUnavailable", "starting"), ""),
        ],
        ids=["no object", "no CRD", "forbidden", "unauthorized", "starting"],
    )
    def test_what_cannot_be_read_is_2(
        self, answer: Handler, said: str, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With one line on stderr."""
        api.on("GET", PATH, answer)
        assert call("status", "prod") == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith(f"Error: {said}")
        assert shown.err.count("\n") == 1


@pytest.mark.usefixtures("kubeconfig")
class TestWait:
    """`wait`: for Ready, and for a key."""

    def test_ready_is_0(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Said on stdout."""
        assert call("wait", "prod", "--for=condition=Ready") == 0
        assert capsys.readouterr().out == "prod is Ready: Proven.\n"

    def test_a_key_that_the_operator_vouches_for_is_0(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """After it was asked, with the times of the key for programs."""
        obj = ready_now()
        api.on("GET", PATH, has(obj))
        api.on("PATCH", PATH, operator_answers(obj))
        assert call("wait", "prod", "--safe-to-sign", OLD, "-o", "json") == 0
        said = capsys.readouterr()
        answer = json.loads(said.out)
        assert (answer["satisfied"], answer["keyID"]) == (True, OLD)
        assert "safeSinceTime" in answer
        assert said.err.startswith("Asking the operator to look at prod now")

    @pytest.mark.slow
    def test_a_key_that_nobody_lists_is_1_in_silence(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """The exit code is the answer, whatever the form of the result."""
        obj = ready_now()
        api.on("GET", PATH, has(obj))
        api.on("PATCH", PATH, operator_answers(obj))
        for output in ("text", "json"):
            assert call("wait", "prod", "--safe-to-sign", "unknown", "-q", "-o", output) == 1
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", "")


@pytest.mark.usefixtures("kubeconfig")
class TestPlan:
    """`plan`, as far as nothing but the cluster has to be asked."""

    @pytest.fixture
    def manifest(self, tmp_path: Path) -> Path:
        """The issuer's own manifest, suspended."""
        obj = issuer_object()
        obj = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": {"name": "prod"}, "spec": obj["spec"]}
        obj["spec"]["suspend"] = True
        path = tmp_path / "issuer.yaml"
        path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [obj]}))
        return path

    def test_a_suspended_issuer_has_nothing_to_do(self, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """For people and for programs."""
        assert call("plan", "-f", str(manifest)) == 0
        assert capsys.readouterr().out.startswith("prod  nothing to do\nIt is suspended")
        assert call("plan", "-f", str(manifest), "-o", "json") == 0
        assert json.loads(capsys.readouterr().out)["object"] == "oidci/prod, changed in spec.suspend"

    def test_what_the_api_server_would_refuse_is_2(self, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The living object has another issuer URL."""
        manifest.write_text(manifest.read_text().replace("amazonaws.com/prod", "amazonaws.com/other"))
        assert call("plan", "-f", str(manifest)) == 2
        assert capsys.readouterr().err.startswith(
            "Error: The API server would refuse this change of oidci/prod: spec.issuer"
        )

    def test_an_object_that_may_not_be_read_is_2(
        self, manifest: Path, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without its ledger there is no plan."""
        api.on("GET", PATH, refuses(403, "Forbidden", "no"))
        assert call("plan", "-f", str(manifest)) == 2
        assert capsys.readouterr().err.startswith("Error: You may not read OIDCIssuer prod")
        api.on("GET", PATH, refuses(503, "ServiceUnavailable", "starting"))
        assert call("plan", "-f", str(manifest)) == 2

    def test_no_object_and_no_crd_are_planned_for(
        self, manifest: Path, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Before anything is installed."""
        del api.answers["GET", PATH]
        assert call("plan", "-f", str(manifest)) == 0
        assert "oidci/prod, which is not in the cluster yet" in capsys.readouterr().out
