"""The control plane is the real thing: keys, tokens and endpoints as in a cluster."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import jwt
import pytest

from tests.support import binaries, namespace
from tests.support.controlplane import ControlPlane, ServerConfig, with_keys
from tests.support.processes import free_port
from tests.support.signingkeys import KINDS, Kind, signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.pki import PKI

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]  # whichever comes first starts the servers


@pytest.fixture(scope="module")
def borrowed(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Lend the servers to tests that change their keys, one after the other, and restore them once at the end."""
    with control_plane.restored():
        yield control_plane


def listed_kids(control_plane: ControlPlane, index: int) -> list[str]:
    answer = control_plane.json("GET", "/openid/v1/jwks", index=index)
    return [key["kid"] for key in answer["keys"]]


def header_of(token: str) -> dict[str, str]:
    header: dict[str, str] = jwt.get_unverified_header(token)
    return header


def test_the_endpoint_slice_lists_both_servers(control_plane: ControlPlane) -> None:
    """The EndpointSlice default/kubernetes names every API server as soon as it has started, as the operator finds them."""
    assert control_plane.endpoint_addresses() == list(namespace.SERVER_ADDRESSES[:2])
    assert control_plane.addresses == ["10.201.0.11:6443", "10.201.0.12:6443"]


def test_the_version_is_the_one_that_was_built(control_plane: ControlPlane) -> None:
    """The API server says its version as a released one does."""
    version = control_plane.json("GET", "/version")
    assert version["gitVersion"].startswith("v1.")
    assert version["gitVersion"].split(".")[1] == version["minor"]


def test_one_server_lists_keys_of_every_kind_under_our_kids(borrowed: ControlPlane) -> None:
    """The JWKS holds the keys in the order of the flags, under the kids that signingkeys computes."""
    keys = [signing_key(kind) for kind in KINDS]
    borrowed.restart(1, with_keys(borrowed.configs[1], *(key.public_pem for key in keys)))
    assert listed_kids(borrowed, 1) == [key.kid for key in keys]


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_names_the_kid_we_compute(borrowed: ControlPlane, kind: Kind) -> None:
    """After a restart with another key, tokens of that server carry its kid and algorithm and verify with it."""
    key = signing_key(kind)
    borrowed.create_service_account("minting", "minter")
    borrowed.restart(1, dataclasses.replace(borrowed.configs[1], signing_key=key, key_files=None))
    token = borrowed.mint_token(1, "minting", "minter", "sts.amazonaws.com", 600)
    other = borrowed.mint_token(0, "minting", "minter", "sts.amazonaws.com", 600)
    assert listed_kids(borrowed, 1) == [key.kid]
    assert header_of(token) == {"alg": key.algorithm, "kid": key.kid}
    assert header_of(other)["kid"] == borrowed.configs[0].signing_key.kid
    claims = jwt.decode(token, key.public_pem, algorithms=[key.algorithm], audience="sts.amazonaws.com")
    assert claims["sub"] == "system:serviceaccount:minting:minter"
    assert claims["exp"] - claims["iat"] == 600


def test_a_restart_takes_a_few_seconds(control_plane: ControlPlane) -> None:
    """The port is free again after SIGKILL: the server comes back at the same address."""
    began = time.monotonic()
    control_plane.restart(0)
    assert time.monotonic() - began < 20
    assert control_plane.request("GET", "/readyz", index=0).status == 200


def test_one_server_answers_while_its_twin_is_down(control_plane: ControlPlane) -> None:
    """Requests go to whoever runs; `restored` brings the dead one back."""
    with control_plane.restored():
        control_plane.kill(0)
        assert not control_plane.servers[0].running
        assert control_plane.request("GET", "/readyz").status == 200
    assert control_plane.servers[0].running


def test_kubectl_and_the_thin_requests_see_the_same_objects(control_plane: ControlPlane) -> None:
    """Apply, get, patch and delete work on objects that kubectl sees."""
    control_plane.create_namespace("objects")
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "objects"},
        "data": {"k": "1"},
    }
    control_plane.apply(item)
    control_plane.patch("v1", "ConfigMap", "a", {"data": {"k": "2"}}, "objects")
    assert control_plane.kubectl("get", "configmap", "a", "-n", "objects", "-o", "jsonpath={.data.k}") == "2"
    control_plane.delete("v1", "ConfigMap", "a", "objects")
    assert not control_plane.exists("v1", "ConfigMap", "a", "objects")


@pytest.mark.parametrize("survives_rotation", [False, True])
def test_a_service_account_kubeconfig_has_only_its_own_rights(
    control_plane: ControlPlane, tmp_path: Path, survives_rotation: bool
) -> None:
    """Both kinds of kubeconfig act as the ServiceAccount: it may read the JWKS and no Secrets."""
    path = control_plane.kubeconfig_for_service_account(
        "rbac", "tester", tmp_path / "kubeconfig", survives_rotation=survives_rotation
    )
    as_account = f"--kubeconfig={path}"
    assert "system:serviceaccount:rbac:tester" in control_plane.kubectl("auth", "whoami", as_account)
    assert '"keys"' in control_plane.kubectl("get", "--raw=/openid/v1/jwks", as_account)
    assert "Forbidden" in control_plane.kubectl("get", "secrets", "-A", as_account, check=False)


def test_on_loopback_no_namespace_is_needed(tmp_path: Path, pki: PKI) -> None:
    """For `make demo` without root a control plane runs on 127.0.0.1; it has no EndpointSlice."""
    with ControlPlane(tmp_path, pki, [ServerConfig(signing_key("P-256"))], loopback=True) as alone:
        assert alone.addresses[0].startswith("127.0.0.1:")
        assert alone.endpoint_addresses() == []
        assert listed_kids(alone, 0) == [signing_key("P-256").kid]


def test_a_server_that_lost_the_race_of_the_first_start_is_started_again(
    tmp_path: Path, pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes 1.33 ends one of two servers that begin over an empty etcd at the same moment; the kubelet starts it again."""
    real = binaries.find("kube-apiserver")
    program = tmp_path / "kube-apiserver"
    lost = "another caller has already initialized the resource"
    program.write_text(f"""#!/bin/sh
[ -e "$0.lost" ] && exec "{real}" "$@"
touch "$0.lost"
echo 'cannot create cluster IP allocator: {lost}'
exit 1
""")
    program.chmod(0o755)
    find = binaries.find
    monkeypatch.setattr(binaries, "find", lambda name: program if name == "kube-apiserver" else find(name))
    with ControlPlane(tmp_path / "plane", pki, [ServerConfig.default()], loopback=True, port=free_port()) as plane:
        assert plane.json("GET", "/version")["gitVersion"]
    assert lost in (tmp_path / "plane" / "kube-apiserver-0" / "log").read_text()
