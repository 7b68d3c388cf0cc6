"""The manifest of a kube-apiserver: what kubeadm writes, what a move makes of it, and what a forgotten patch brings back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import yaml

from oidc_publisher.cli.check.lines import CheckResult, Line
from oidc_publisher.cli.signer.staticpod import (
    SIGNS_BY_FILE,
    VERIFIES_BY_FILE,
    KeyFile,
    ManifestError,
    StaticPod,
    endpoint_lines,
    key_file_line,
    lifetime_lines,
)

DAY = timedelta(hours=24)
SOCKET = "/run/oidc-publisher/signer.sock"
ENDPOINT = f"--service-account-signing-endpoint={SOCKET}"
KUBEADM = (
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--service-account-key-file=/etc/kubernetes/pki/sa.pub",
    "--service-account-signing-key-file=/etc/kubernetes/pki/sa.key",
)
FOLDERS = {"/etc/kubernetes/pki": "/etc/kubernetes/pki", "/run/oidc-publisher": "/run/oidc-publisher"}


def manifest(*flags: str, folders: dict[str, str] | None = None) -> str:
    """The manifest of a static pod with these flags and mounts."""
    mounts = FOLDERS if folders is None else folders
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {
            "containers": [
                {"name": "other", "command": ["sleep"]},
                {
                    "name": "kube-apiserver",
                    "command": ["kube-apiserver", "--advertise-address=10.0.0.1", *flags],
                    "volumeMounts": [
                        *({"name": f"v{n}", "mountPath": path} for n, path in enumerate(mounts)),
                        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path in a pod
                    ],
                },
            ],
            "volumes": [
                *({"name": f"v{n}", "hostPath": {"path": path}} for n, path in enumerate(mounts.values())),
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
    return yaml.safe_dump(pod)


def endpoint(*flags: str, folders: dict[str, str] | None = None, socket: str = SOCKET) -> Line | None:
    """The first line about the socket's flag."""
    return next(endpoint_lines(StaticPod.read(manifest(*flags, folders=folders)), socket), None)


def test_the_manifest_of_kubeadm_has_no_endpoint() -> None:
    """There is nothing to say of the socket yet."""
    assert endpoint(*KUBEADM) is None
    pod = StaticPod.read(manifest(*KUBEADM))
    assert pod.value(SIGNS_BY_FILE) == "/etc/kubernetes/pki/sa.key"
    assert pod.flags[VERIFIES_BY_FILE] == ("/etc/kubernetes/pki/sa.pub",)


def test_the_endpoint_alone_is_good() -> None:
    """Where the node's folder is mounted."""
    line = endpoint(ENDPOINT)
    assert line is not None
    assert (line.result, line.found) == (CheckResult.YES, "is the signer's socket")
    elsewhere = endpoint(
        "--service-account-signing-endpoint=/signer/signer.sock", folders={"/signer": "/run/oidc-publisher"}
    )
    assert elsewhere is not None
    assert elsewhere.result is CheckResult.YES


@pytest.mark.parametrize(
    ("flags", "folders", "found"),
    [
        ((ENDPOINT, *KUBEADM), None, "stands beside --service-account-signing-key-file and --service-account-key-file"),
        ((ENDPOINT, KUBEADM[1]), None, "stands beside --service-account-key-file: kube-apiserver does not start"),
        ((ENDPOINT.replace("=/", "=unix:///"),), None, "kube-apiserver waits a minute for it, and ends"),
        ((ENDPOINT.replace("=/", "=@"),), None, "which every pod of the node's network may open"),
        ((ENDPOINT,), {}, "nothing of the node is mounted there"),
        ((ENDPOINT,), {"/run/oidc-publisher": "/run/other"}, "is /run/other/signer.sock of this node"),
        (("--profiling=false",), None, "is absent, and so is --service-account-signing-key-file"),
    ],
    ids=["both", "verifying file", "unix", "abstract", "no mount", "other folder", "neither"],
)
def test_what_would_not_work_is_said_before_it_is_tried(
    flags: tuple[str, ...], folders: dict[str, str] | None, found: str
) -> None:
    """With what to do about it."""
    line = endpoint(*flags, folders=folders)
    assert line is not None
    assert line.result is CheckResult.NO
    assert found in line.found
    assert line.advice


def test_the_gate_may_not_be_closed() -> None:
    """It is open by default from 1.34 on."""
    pod = StaticPod.read(manifest(ENDPOINT, "--feature-gates=A=true,ExternalServiceAccountTokenSigner=false"))
    assert [line.result for line in endpoint_lines(pod, SOCKET)] == [CheckResult.YES, CheckResult.NO]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("24h", CheckResult.YES),
        ("24h0m0s", CheckResult.YES),
        ("1440m", CheckResult.YES),
        ("24h0m0.5s", CheckResult.NO),
        ("48h", CheckResult.NO),
        ("a day", CheckResult.WARNING),
        ("100ms", CheckResult.WARNING),
    ],
)
def test_the_api_server_allows_no_longer_tokens_than_the_signer_declares(text: str, result: CheckResult) -> None:
    """It would not start."""
    pod = StaticPod.read(manifest(f"--service-account-max-token-expiration={text}"))
    (line,) = lifetime_lines(pod, DAY)
    assert line.result is result
    assert list(lifetime_lines(StaticPod.read(manifest()), DAY)) == []


def test_a_move_changes_no_key_id() -> None:
    """The signer signs with the key of the file."""
    line = key_file_line(KeyFile(SIGNS_BY_FILE, "/sa.key", ("k1",)), "k1", frozenset({"k1"}))
    assert (line.result, line.check) == (CheckResult.YES, "--service-account-signing-key-file /sa.key")


def test_a_manifest_that_went_back_to_its_key_file_is_a_no() -> None:
    """`kubeadm upgrade` without --patches writes the flags of before, and the key has retired meanwhile."""
    line = key_file_line(KeyFile(SIGNS_BY_FILE, "/sa.key", ("k1",)), "k3", frozenset({"k3", "k1"}))
    assert (line.result, line.found) == (CheckResult.NO, "has key k1, and the signer signs with k3")
    assert "--patches" in line.advice


def test_a_key_that_only_verifies_has_to_be_listed() -> None:
    """Its tokens live, and would be refused."""
    good = key_file_line(KeyFile(VERIFIES_BY_FILE, "/sa.pub", ("k1",)), "k1", frozenset({"k1"}))
    bad = key_file_line(KeyFile(VERIFIES_BY_FILE, "/sa.pub", ("k1", "k0")), "k1", frozenset({"k1"}))
    assert (good.result, bad.result) == (CheckResult.YES, CheckResult.NO)
    assert bad.found == "has k0, which the signer does not list: a move has its tokens refused"


def test_a_file_that_cannot_be_read_leaves_it_open() -> None:
    """Neither good nor bad."""
    line = key_file_line(KeyFile(SIGNS_BY_FILE, "/sa.key", trouble="Permission denied"), "k", frozenset())
    assert line.result is CheckResult.NO_ANSWER


@pytest.mark.parametrize(
    "text", ["", "- a", "spec: {}", "spec: {containers: [{name: a}]}", "a: [", "spec: {containers: 5}"]
)
def test_what_is_no_manifest_is_refused(text: str) -> None:
    """With one error."""
    with pytest.raises(ManifestError):
        StaticPod.read(text)


def test_a_flag_may_stand_apart_from_its_value() -> None:
    """And in args; of several the last one counts."""
    pod = StaticPod.read(
        "spec: {containers: [{command: [kube-apiserver], args: [--v, '2', --profiling, --a=1, --a=2]}]}"
    )
    assert pod.flags == {"v": ("2",), "profiling": ("",), "a": ("1", "2")}
    assert (pod.value("a"), pod.value("absent"), pod.on_host("/etc")) == ("2", "", "")
