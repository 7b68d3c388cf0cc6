"""`status`, `wait` and `verify oidci/NAME` as an admin runs them, against a real API server and a real operator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import Stage

NEW = signing_key("P-256", "cli-next")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two API servers, S3 and the operator, with one issuer that is not Ready yet."""
    with Stage(tmp_path_factory.mktemp("stage")) as running:
        running.apply_crd()
        running.operator.start()
        running.apply(running.issuer())
        yield running


def started(stage: Stage, *arguments: str, kubeconfig: Path | None = None) -> subprocess.Popen[str]:
    """`oidc-publisher ARGUMENTS` as a shell starts it."""
    program = Path(sys.executable).with_name("oidc-publisher")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(stage.folder),
        "KUBECONFIG": str(kubeconfig or stage.cluster.admin_kubeconfig()),
    }
    return subprocess.Popen(
        [program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def run(
    stage: Stage, *arguments: str, exit_code: int, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, which has to be `exit_code`."""
    return ended(started(stage, *arguments, kubeconfig=kubeconfig), exit_code=exit_code)


def ended(process: subprocess.Popen[str], *, exit_code: int) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate(timeout=90)
    assert process.returncode == exit_code, f"{process.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def reader(stage: Stage, name: str, *verbs: str) -> Path:
    """A kubeconfig of a ServiceAccount that may do `verbs` to OIDCIssuers and nothing else."""
    path = stage.cluster.kubeconfig_for_service_account("default", name, survives_rotation=True)
    resource = "oidcissuers.oidc-publisher.io"
    stage.cluster.kubectl("create", "clusterrole", name, f"--verb={','.join(verbs)}", f"--resource={resource}")
    stage.cluster.kubectl(
        "create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount=default:{name}"
    )
    return path


def test_wait_sees_a_new_issuer_become_ready(stage: Stage) -> None:
    """It begins before the first pass has ended, and says on stdout that it is Ready."""
    done = run(stage, "wait", "oidci/prod", "--for=Ready", "--timeout=40s", exit_code=0)
    assert done.stdout == "prod is Ready: Proven.\n"


def test_the_signing_key_is_safe_and_the_answer_is_a_fresh_one(stage: Stage) -> None:
    """The operator was asked: its answer is in the status."""
    before = stage.get()["status"].get("lastHandledReconcileAt")
    done = run(stage, "wait", "prod", "--safe-to-sign", stage.key.kid, "--timeout=20s", "-o", "json", exit_code=0)
    said = json.loads(done.stdout)
    assert said["satisfied"] is True
    assert said["safeSinceTime"] == key(stage, stage.key)["safeSinceTime"]
    assert stage.get()["status"]["lastHandledReconcileAt"] not in (None, before)


def test_an_unknown_key_is_a_no_at_once(stage: Stage) -> None:
    """Every source was just read: waiting would be in vain."""
    began = time.monotonic()
    done = run(stage, "wait", "prod", "--safe-to-sign", "no-such-key", "--timeout=60s", exit_code=1)
    assert "No source lists key no-such-key" in done.stdout
    assert stage.key.kid in done.stdout
    assert time.monotonic() - began < 20


def test_status_is_one_page(stage: Stage) -> None:
    """In a pipe: plain lines with everything in them, events included."""
    done = run(stage, "status", "prod", exit_code=0)
    assert "\x1b" not in done.stdout
    first, *lines = done.stdout.splitlines()
    assert first == "prod  Ready: True  Proven"
    assert f"Issuer   {stage.issuer_url}" in lines
    assert any(line.split()[:3] == ["Ready", "True", "Proven"] for line in lines)
    assert any(line.split()[:4] == [stage.key.kid[:8], "1", "RS256", "Signing"] for line in lines)
    assert all(address in done.stdout for address in stage.cluster.addresses)
    events = lines[lines.index("EVENTS, newest first") :]
    assert any("Proven" in line for line in events), done.stdout


def test_status_for_programs_is_the_same_page(stage: Stage) -> None:
    """JSON with the names of the API."""
    page = json.loads(run(stage, "status", "prod", "-o", "json", exit_code=0).stdout)
    assert page["proven"] is True
    assert page["keys"][0]["keyID"] == stage.key.kid
    assert page["keys"][0]["signedBy"] == stage.cluster.addresses
    assert {line["type"] for line in page["conditions"]} >= {"Ready", "SafeToSign"}
    assert page["events"]


def test_verify_shows_what_the_operator_knows_beside_what_the_world_sees(stage: Stage) -> None:
    """The settings are the object's own: its CA, its relying parties, its leave of private addresses."""
    page = json.loads(run(stage, "verify", "oidci/prod", "-o", "json", exit_code=0).stdout)
    assert page["issuerURL"] == stage.issuer_url
    assert page["sentence"] == "Kubernetes can use this issuer."
    assert [key["keyID"] for key in page["keys"]] == [stage.key.kid]
    lines = {line["what"]: line for line in page["operator"]["lines"]}
    assert (lines["Ready"]["operator"], lines["Served"]["operator"]) == ("True Proven", "True Succeeded")
    assert lines["Served"]["world"]
    assert (lines[f"key {stage.key.kid}"]["operator"], lines[f"key {stage.key.kid}"]["world"]) == ("Signing", "served")
    assert {line["result"] for line in lines.values()} == {"Yes"}
    text = run(stage, "verify", "oidci/prod", exit_code=0).stdout
    assert "OPERATOR, oidci/prod, beside what is seen from here" in text


def test_verify_marks_where_the_world_is_seen_otherwise_from_here(stage: Stage) -> None:
    """Led to an address where nobody listens, this machine sees no issuer; the operator, led nowhere, sees it well."""
    elsewhere = "--resolve=localhost=127.0.0.99"
    page = json.loads(run(stage, "verify", "oidci/prod", elsewhere, "-o", "json", exit_code=1).stdout)
    lines = {line["what"]: line for line in page["operator"]["lines"]}
    assert (lines["Served"]["operator"], lines["Served"]["result"]) == ("True Succeeded", "Warning")
    assert (lines["ConnectionFailed"]["operator"], lines["ConnectionFailed"]["world"]) == (
        "not reported",
        "seen from here",
    )
    assert lines[f"key {stage.key.kid}"]["world"] == "not read"


def test_verify_without_the_object_is_no_answer(stage: Stage) -> None:
    """No such object, no right to read it, no kubeconfig, nobody at its address: one sentence each, and nothing else."""
    absent, away = stage.folder / "absent", stage.folder / "away"
    server = stage.cluster.addresses[0]
    away.write_text(stage.cluster.admin_kubeconfig().read_text().replace(server, "127.0.0.1:1"))
    questions = (
        ("nobody", None, "There is no OIDCIssuer nobody in this cluster."),
        ("prod", reader(stage, "only-lists", "list"), "You may not read OIDCIssuer prod (verb get on oidcissuers."),
        ("prod", absent, f"The kubeconfig {absent} cannot be used"),
        ("prod", away, "127.0.0.1:1 cannot be connected to"),
    )
    for name, kubeconfig, said in questions:
        done = run(stage, "verify", f"oidci/{name}", "-q", exit_code=2, kubeconfig=kubeconfig)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        assert done.stderr.startswith(f"Error: {said}")


def test_who_may_only_read_gets_a_page_without_events_and_no_permission_to_sign(stage: Stage) -> None:
    """Without the right to ask the operator nothing is fresh: that is no answer, and says which right is missing."""
    kubeconfig = reader(stage, "only-reads", "get")
    page = run(stage, "status", "prod", exit_code=0, kubeconfig=kubeconfig)
    assert "The events could not be read" in page.stdout
    done = run(stage, "wait", "prod", "--safe-to-sign", stage.key.kid, exit_code=2, kubeconfig=kubeconfig)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("Error: You may not ask the operator for a fresh status of prod")
    assert "verb patch on oidcissuers.oidc-publisher.io" in done.stderr


def test_a_new_key_is_waited_for_through_the_restart_of_the_api_server(stage: Stage) -> None:
    """Not before its time, which is said at once; then it is safe, although the API server asked was away meanwhile."""
    rotation = stage.issuer()["spec"]["rotation"]
    # An hour is longer than a command takes to start on any machine; the seconds of the other tests are not.
    stage.apply(stage.issuer(rotation={**rotation, "prePublishPeriod": "1h"}))
    stage.cluster.restart_all(stage.config(stage.key, NEW))
    stage.wait(lambda s: any(k["keyID"] == NEW.kid and "safeToSignTime" in k for k in s["keys"]), what="served")
    early = run(stage, "wait", "prod", "--safe-to-sign", NEW.kid, "--timeout=1s", exit_code=1)
    assert "is safe to sign with from 20" in early.stdout
    waiting = started(stage, "wait", "prod", "--safe-to-sign", NEW.kid, "--timeout=2h")
    stage.cluster.restart(0)
    assert waiting.poll() is None
    stage.apply(stage.issuer())
    done = ended(waiting, exit_code=0)
    assert f"Key {NEW.kid} is safe to sign with since" in done.stdout
    assert "safeSinceTime" in key(stage, NEW)


def test_a_withdrawn_key_is_never_safe(stage: Stage) -> None:
    """Not even where it was before."""
    issuer = stage.issuer()
    issuer["spec"]["rotation"]["withdrawnKeyIDs"] = [NEW.kid]
    stage.apply(issuer)
    try:
        done = run(stage, "wait", "prod", "--safe-to-sign", NEW.kid, "--timeout=20s", exit_code=1)
        assert "is withdrawn" in done.stdout
    finally:
        stage.apply(stage.issuer())


def test_a_suspended_issuer_gives_no_answer(stage: Stage) -> None:
    """Its old proof is not a proof."""
    stage.apply(stage.issuer(suspend=True))
    try:
        for question in (["--for=Ready"], ["--safe-to-sign", stage.key.kid]):
            done = run(stage, "wait", "prod", *question, exit_code=2)
            assert done.stderr.startswith("Error: prod is suspended")
    finally:
        stage.apply(stage.issuer())


def test_suspend_and_resume_are_seen_by_the_operator(stage: Stage) -> None:
    """Suspended, nobody can be asked; resumed, a pass is asked for and ends Ready."""
    stage.wait_ready(timeout_s=60)
    run(stage, "suspend", "prod", exit_code=0)
    try:
        stage.wait(lambda s: s["conditions"][0]["reason"] == "Suspended", what="Suspended", timeout_s=60)
        assert run(stage, "status", exit_code=1).stdout.splitlines()[1].split()[:3] == ["prod", "Unknown", "Suspended"]
        assert "prod is suspended" in run(stage, "reconcile", "prod", exit_code=2).stderr
    finally:
        run(stage, "resume", "prod", exit_code=0)
    before = stage.get()["status"].get("lastHandledReconcileAt")
    assert run(stage, "reconcile", "prod", "--wait", "--timeout=40s", exit_code=0).stdout == "prod is Ready: Proven.\n"
    assert stage.get()["status"]["lastHandledReconcileAt"] not in (None, before)
    assert run(stage, "status", exit_code=0).stdout.splitlines()[1].split()[:3] == ["prod", "True", "Proven"]


def test_what_kubectl_describe_says_is_explained(stage: Stage) -> None:
    """As somebody pastes it who has never seen it."""
    described = stage.cluster.kubectl("describe", "oidci", "prod")
    path = stage.folder / "described.txt"
    path.write_text(described)
    done = run(stage, "explain", str(path), exit_code=0)
    assert "Warning PrePublishShort\n" in done.stdout
    assert "oidc-publisher explain PrePublishShort" in done.stdout
    assert "BEGIN" not in done.stdout


def test_no_such_issuer_is_no_answer(stage: Stage) -> None:
    """One line that says so."""
    for command in (["status"], ["wait", "--for=Ready"], ["reconcile"], ["suspend"], ["resume"]):
        done = run(stage, *command, "nobody", exit_code=2)
        assert done.stderr == "Error: There is no OIDCIssuer nobody in this cluster.\n"


def test_a_status_that_says_safe_is_no_answer_while_the_operator_is_away(stage: Stage) -> None:
    """The status still says safeSinceTime; nobody vouches for it any more."""
    stage.wait_ready()
    run(stage, "wait", "prod", "--safe-to-sign", stage.key.kid, "--timeout=20s", exit_code=0)
    stage.operator.stop()
    assert "safeSinceTime" in key(stage, stage.key)
    done = run(stage, "wait", "prod", "--safe-to-sign", stage.key.kid, "--timeout=3s", exit_code=2)
    assert done.stdout == ""
    assert "did not look at prod within 3s of being asked. Is it running?" in done.stderr


def key(stage: Stage, wanted: SigningKey) -> dict[str, object]:
    """What the status says of a key."""
    keys: list[dict[str, object]] = stage.get()["status"]["keys"]
    return next(k for k in keys if k["keyID"] == wanted.kid)
