"""`reconcile`, `suspend`, `resume`, `status` of all issuers and `--watch`, against an API server that a test scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from oidc_publisher.api import RECONCILE_REQUESTED_AT
from tests.support.apistub import APIStub, Handler, refuses, says
from tests.support.commands import COLLECTION, PATH, call, has, has_no_such_path, operator_answers, ready_now
from tests.support.statuses import Object, condition

pytestmark = pytest.mark.usefixtures("kubeconfig")


def patches(api: APIStub) -> list[Any]:
    """The bodies of all patches so far."""
    return [seen.body for seen in api.seen if seen.method == "PATCH"]


@pytest.fixture(autouse=True)
def _unseen(api: APIStub) -> None:
    api.seen.clear()


class TestReconcile:
    """`reconcile`: it asks, and waits where that is wanted."""

    def test_it_asks_and_says_so(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """By the annotation, with a value that nobody used before."""
        api.on("PATCH", PATH, has(ready_now()))
        assert call("reconcile", "oidci/prod") == 0
        assert call("reconcile", "prod") == 0
        assert capsys.readouterr().out == "The operator was asked to look at prod now.\n" * 2
        values = [patch["metadata"]["annotations"][RECONCILE_REQUESTED_AT] for patch in patches(api)]
        assert len(set(values)) == 2
        assert [list(patch) for patch in patches(api)] == [["metadata"], ["metadata"]]

    def test_with_wait_it_is_0_when_the_pass_ends_ready(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """The status from before the question does not count."""
        obj = ready_now()
        api.on("GET", PATH, has(obj))
        api.on("PATCH", PATH, operator_answers(obj))
        assert call("reconcile", "prod", "--wait", "-o", "json") == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["ready"], answer["message"]) == (True, "prod is Ready: Proven.")

    def test_with_wait_it_is_1_as_soon_as_the_pass_ends_otherwise(
        self, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It does not wait for a better one."""
        obj = ready_now(conditions=[condition("Ready", "False", "AccessBlocked", "It answers 403.")])
        api.on("GET", PATH, has(obj))
        api.on("PATCH", PATH, operator_answers(obj))
        assert call("reconcile", "prod", "--wait", "--timeout", "1m") == 1
        assert capsys.readouterr().out == "prod is not Ready: AccessBlocked. It answers 403.\n"

    @pytest.mark.slow
    def test_an_operator_that_does_not_answer_is_2(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """Although the status from before says Ready."""
        api.on("PATCH", PATH, has(ready_now()))
        assert call("reconcile", "prod", "--wait", "--timeout", "1s") == 2
        assert "The operator did not look at prod within" in capsys.readouterr().err

    @pytest.mark.parametrize("arguments", [[], ["--wait"]], ids=" ".join)
    def test_a_suspended_issuer_is_2(
        self, arguments: list[str], api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nobody looks at it, and nothing is asked."""
        obj = ready_now()
        obj["spec"]["suspend"] = True
        api.on("GET", PATH, has(obj))
        assert call("reconcile", "prod", *arguments) == 2
        assert "prod is suspended" in capsys.readouterr().err
        assert patches(api) == []

    def test_a_right_that_is_missing_is_2(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """It is named."""
        api.on("PATCH", PATH, refuses(403, "Forbidden", "no"))
        assert call("reconcile", "prod") == 2
        assert "verb patch on oidcissuers.oidc-publisher.io" in capsys.readouterr().err


class TestSuspendAndResume:
    """`suspend` and `resume`: one field, and what it means."""

    @pytest.mark.parametrize(("command", "value"), [("suspend", True), ("resume", False)])
    def test_the_field_is_set_and_nothing_else(
        self, command: str, value: bool, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In one patch of spec.suspend."""
        obj = ready_now()
        obj["spec"]["suspend"] = not value
        api.on("GET", PATH, has(obj))
        api.on("PATCH", PATH, has(obj))
        assert call(command, "prod") == 0
        assert patches(api) == [{"spec": {"suspend": value}}]
        said = capsys.readouterr().out
        assert ("nothing is read, published" in said) is value
        assert said.count("\n") == 1

    @pytest.mark.parametrize(("command", "value"), [("suspend", True), ("resume", False)])
    def test_what_is_so_already_is_left_alone(
        self, command: str, value: bool, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """No patch, and 0 all the same; programs see that nothing changed."""
        obj = ready_now()
        obj["spec"]["suspend"] = value
        api.on("GET", PATH, has(obj))
        assert call(command, "prod", "-o", "yaml") == 0
        assert yaml.safe_load(capsys.readouterr().out) == {"name": "prod", "suspended": value, "changed": False}
        assert call(command, "prod") == 0
        assert patches(api) == []

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (refuses(403, "Forbidden", "no"), "You may not change OIDCIssuer prod (verb patch on"),
            (refuses(404, "NotFound", "gone"), "There is no OIDCIssuer prod in this cluster."),
            (refuses(422, "Invalid", "spec is odd"), ""),
        ],
        ids=["forbidden", "gone", "refused"],
    )
    def test_what_cannot_be_changed_is_2(
        self, answer: Handler, said: str, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With one line on stderr."""
        api.on("PATCH", PATH, answer)
        assert call("suspend", "prod") == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith(f"Error: {said}")
        assert shown.err.count("\n") == 1


def listing(*objects: Object) -> Handler:
    return says({"kind": "OIDCIssuerList", "metadata": {}, "items": list(objects)})


def named(name: str, **status: Any) -> Object:
    obj = ready_now(**status)
    obj["metadata"]["name"] = name
    return obj


class TestStatusOfAll:
    """`status` without a name."""

    def test_all_ready_is_0(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """A line for each."""
        api.on("GET", COLLECTION, listing(named("a"), named("b")))
        assert call("status") == 0
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["NAME", "a", "b"]

    def test_one_that_is_not_is_1_and_stands_first(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """For people and for programs; an object that this version cannot read counts as not Ready."""
        broken = named("b", conditions=[condition("Ready", "False", "AccessBlocked")])
        odd = named("c")
        odd["spec"] = {"issuerURL": 7}
        api.on("GET", COLLECTION, listing(named("a"), broken, odd))
        assert call("status", "-o", "json") == 1
        shown = json.loads(capsys.readouterr().out)
        assert [line["name"] for line in shown["issuers"]] == ["b", "c", "a"]
        assert shown["proven"] is False
        assert shown["issuers"][1]["reason"] == "SpecUnsupported"

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (listing(), "There is no OIDCIssuer in this cluster."),
            (has_no_such_path, "This cluster has no OIDCIssuers"),
            (
                refuses(403, "Forbidden", "no"),
                "You may not list OIDCIssuers (verb list on oidcissuers.oidc-publisher.io)",
            ),
            (refuses(401, "Unauthorized", "no"), "The API server does not accept your credentials."),
        ],
        ids=["none", "no CRD", "forbidden", "unauthorized"],
    )
    def test_nothing_to_show_is_2(
        self, answer: Handler, said: str, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """No issuer is no yes: a script that watches over them would be content with an empty cluster."""
        api.on("GET", COLLECTION, answer)
        assert call("status") == 2
        assert capsys.readouterr().err.startswith(f"Error: {said}")


class TestWatch:
    """`status --watch`: what changes is written again."""

    @pytest.fixture
    def looks(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Let the watch look so often, without a pause, and end."""

        def let(times: int) -> None:
            left = iter(range(times - 1))

            async def pause(_: float) -> None:
                if next(left, None) is None:
                    raise KeyboardInterrupt

            monkeypatch.setattr("oidc_publisher.cli.status.body.asyncio.sleep", pause)

        return let

    def test_a_page_is_written_again_when_it_changed(
        self, looks: Any, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Not when only the time of the last proof did; Ctrl-C ends it as it ends every command."""
        broken = ready_now(conditions=[condition("Ready", "False", "AccessBlocked")])
        api.on("GET", PATH, has(ready_now()), has(ready_now()), has(broken), has(broken))
        looks(4)
        assert call("status", "prod", "--watch") == 130
        out = capsys.readouterr().out
        assert out.startswith("prod  Ready: True  Proven\n")
        assert out.count("prod  Ready: True") == 1
        assert out.count("prod  Ready: False  AccessBlocked\n") == 1
        assert out.count("\n--- ") == 1

    def test_an_outage_is_told_once_and_does_not_end_it(
        self, looks: Any, api: APIStub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An API server that restarts is what somebody may be watching for."""
        starting = refuses(503, "ServiceUnavailable", "starting")
        api.on(
            "GET",
            COLLECTION,
            listing(named("a")),
            starting,
            starting,
            starting,
            starting,
            listing(named("a"), named("b")),
        )
        looks(6)
        assert call("status", "-w") == 130
        said = capsys.readouterr()
        assert said.err.count("Trying again.") == 1
        assert [line.split()[0] for line in said.out.splitlines() if line][-1] == "b"

    def test_what_cannot_be_read_at_first_is_2(self, api: APIStub, capsys: pytest.CaptureFixture[str]) -> None:
        """A wrong name is not watched for."""
        api.on("GET", PATH, refuses(404, "NotFound", "gone"))
        assert call("status", "prod", "--watch") == 2
        assert "There is no OIDCIssuer prod" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_asks_this_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the variable that click reads."""
    assert call("completion", shell) == 0
    assert "_OIDC_PUBLISHER_COMPLETE" in capsys.readouterr().out


def test_a_shell_completes_commands_and_options() -> None:
    """As bash calls the program, with the words so far in its environment."""
    for words, expected in (
        ("oidc-publisher re", {"reconcile", "resume"}),
        ("oidc-publisher status --wa", {"--watch"}),
    ):
        environment = {
            "_OIDC_PUBLISHER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        code = "from oidc_publisher.cli import main; main([])"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=30
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected
