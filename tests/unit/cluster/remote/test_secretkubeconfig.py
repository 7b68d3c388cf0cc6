"""A kubeconfig out of a Secret: what is taken from it, what is refused, and that no refusal repeats any of it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.cluster.remote.remotelogin import remote_login
from oidc_publisher.cluster.remote.secretkubeconfig import (
    MAX_BYTES,
    KubeconfigRefusedError,
    RemoteKubeconfig,
    is_inside,
    parse_kubeconfig,
)
from oidc_publisher.findings import Reason
from tests.support.kubeconfigs import certificate_user, cluster_entry, encoded, kubeconfig, present, written
from tests.support.pki import PKI

WHERE = "Secret clusters/prod-kubeconfig"
SERVER = "https://10.1.2.3:6443"
TOKEN = "s3cr3t-t0ken-of-nobody"
TOKEN_USER = {"token": TOKEN}
#: What no message may repeat.
PRIVATE = (TOKEN, "/etc/shadow", "curl evil", "hunter2", "proxy.example.com", "aHVudGVyMg")


def parsed(document: Any) -> RemoteKubeconfig:
    return parse_kubeconfig(written(document), WHERE)


def refusal(content: bytes) -> KubeconfigRefusedError:
    with pytest.raises(KubeconfigRefusedError) as caught:
        remote_login(parse_kubeconfig(content, WHERE), WHERE)
    error = caught.value
    assert error.reason is Reason.KubeconfigRefused
    assert error.subject == WHERE
    assert not error.retryable
    assert str(error).startswith(f"The kubeconfig in {WHERE} ")
    assert not [text for text in PRIVATE if text in error.sentence]
    return error


class TestGood:
    """What platforms write."""

    def test_a_token_and_a_ca(self, pki: PKI) -> None:
        """The least that is a kubeconfig of a ServiceAccount."""
        found = parsed(kubeconfig(cluster_entry(pki, SERVER), TOKEN_USER))
        assert (found.server, found.token, found.certificate, found.key) == (SERVER, TOKEN, None, None)
        assert found.authority == pki.ca_pem.decode()

    def test_a_client_certificate(self, pki: PKI) -> None:
        """What Cluster API, Kamaji and kubeadm write; OpenSSL takes both, and no file is left of them."""
        user = certificate_user(pki.client("admin"))
        found = parsed(kubeconfig(cluster_entry(pki, SERVER), user))
        assert found.token is None
        login = remote_login(found, WHERE)
        assert login.vouches
        assert (login.own_name, login.proxy) == ("10.1.2.3", None)

    def test_the_context_in_force_alone_counts(self, pki: PKI) -> None:
        """Another context may be what it wants to be, as long as it is not the current one."""
        document = kubeconfig(cluster_entry(pki, SERVER), TOKEN_USER)
        document["users"].append({"name": "other", "user": {"exec": {"command": "curl evil"}}})
        document["clusters"].append({"name": "other", "cluster": {"server": "http://127.0.0.1"}})
        assert parsed(document).server == SERVER

    @pytest.mark.parametrize(
        ("server", "taken"),
        {
            "https://kube-apiserver.clusters.svc/": "https://kube-apiserver.clusters.svc",
            "https://[2001:db8::1]:6443": "https://[2001:db8::1]:6443",
            "https://rancher.example.com/k8s/clusters/c-1": "https://rancher.example.com/k8s/clusters/c-1",
            "https://10.0.0.1": "https://10.0.0.1",
        }.items(),
    )
    def test_servers(self, pki: PKI, server: str, taken: str) -> None:
        """A name, an IPv6 address, a path, a private address; a slash at the end is left out."""
        assert parsed(kubeconfig(cluster_entry(pki, server), TOKEN_USER)).server == taken

    def test_yaml_as_people_write_it(self, pki: PKI) -> None:
        """Block style, wrapped base64, a name of the certificate, members without a value."""
        document = kubeconfig(
            cluster_entry(pki, SERVER, {"tls-server-name": "kubernetes", "insecure-skip-tls-verify": False}),
            {**TOKEN_USER, "exec": None, "username": ""},
        )
        document["preferences"] = {}
        found = parse_kubeconfig(yaml.safe_dump(document, width=40).encode(), WHERE)
        assert (found.tls_server_name, found.token) == ("kubernetes", TOKEN)

    def test_nothing_private_is_in_its_repr(self, pki: PKI) -> None:
        """A traceback of a development tool may print it."""
        found = parsed(kubeconfig(cluster_entry(pki, SERVER), {**TOKEN_USER, **certificate_user(pki.client("admin"))}))
        assert TOKEN not in repr(found)
        assert "PRIVATE" not in repr(found)


#: By what is wrong: the change of the cluster entry, of the user entry, of the whole, and words of the refusal.
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "exec": ({}, {"token": None, "exec": {"command": "curl evil"}}, {}, "(exec)"),
    "exec beside a token": ({}, {"exec": {"command": "curl evil"}}, {}, "(exec)"),
    "an exec that is no map": ({}, {"exec": "curl evil"}, {}, "(exec)"),
    "auth-provider": ({}, {"auth-provider": {"name": "gcp", "config": {"cmd-path": "curl evil"}}}, {}, "auth-provider"),
    "token file": ({}, {"token": None, "tokenFile": "/etc/shadow"}, {}, "token as a file"),
    "token file beside a token": ({}, {"tokenFile": "/etc/shadow"}, {}, "token as a file"),
    "certificate file": ({}, {"client-certificate": "/etc/shadow"}, {}, "client certificate as a file"),
    "key file": ({}, {"client-key": "/etc/shadow"}, {}, "client key as a file"),
    "basic auth": ({}, {"username": "admin", "password": "hunter2"}, {}, "user name and a password"),
    "a password alone": ({}, {"token": None, "password": "hunter2"}, {}, "user name and a password"),
    "impersonation": ({}, {"as": "system:admin"}, {}, "impersonates"),
    "impersonated groups": ({}, {"as-groups": ["system:masters"]}, {}, "impersonates"),
    "no credentials": ({}, {"token": None}, {}, "no credentials"),
    "a token of several lines": ({}, {"token": f"{TOKEN}\r\nX-Remote-User: admin"}, {}, "characters that no token has"),
    "a token that is a list": ({}, {"token": [TOKEN]}, {}, "member token that is no text"),
    "insecure": ({"insecure-skip-tls-verify": True}, {}, {}, "insecure-skip-tls-verify"),
    "insecure and without a CA": (
        {"insecure-skip-tls-verify": True, "certificate-authority-data": None}, {}, {}, "insecure-skip-tls-verify",
    ),
    "insecure in another spelling": ({"insecure-skip-tls-verify": "yes"}, {}, {}, "insecure-skip-tls-verify"),
    "proxy": ({"proxy-url": "http://proxy.example.com:3128"}, {}, {}, "proxy-url"),
    "CA file": ({"certificate-authority": "/etc/shadow"}, {}, {}, "CA as a file"),
    "no CA": ({"certificate-authority-data": None}, {}, {}, "names no CA"),
    "a CA that is no base64": ({"certificate-authority-data": "hunter2!"}, {}, {}, "certificate-authority-data that is no"),
    "a CA that is no PEM": ({"certificate-authority-data": "aHVudGVyMg=="}, {}, {}, "without PEM certificates"),
    "a CA with no certificate in it": (
        {"certificate-authority-data": encoded(b"-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----")},
        {}, {}, "no readable certificate",
    ),
    "http": ({"server": "http://10.1.2.3:6443"}, {}, {}, "without TLS"),
    "no scheme": ({"server": "10.1.2.3:6443"}, {}, {}, "without TLS"),
    "no server": ({"server": None}, {}, {}, "names no server"),
    "user information": ({"server": "https://admin:hunter2@10.1.2.3"}, {}, {}, "no plain URL"),
    "a query": ({"server": "https://10.1.2.3/?token=hunter2"}, {}, {}, "no plain URL"),
    "dot segments": ({"server": "https://10.1.2.3/a/../b"}, {}, {}, "no plain URL"),
    "a port that cannot be": ({"server": "https://10.1.2.3:99999"}, {}, {}, "cannot be"),
    "an address that is none": ({"server": "https://[2001:db8::1::2]:6443"}, {}, {}, "names a server"),
    "loopback": ({"server": "https://127.0.0.1:6443"}, {}, {}, "loopback"),
    "loopback of IPv6": ({"server": "https://[::1]:6443"}, {}, {}, "loopback"),
    "loopback in IPv6": ({"server": "https://[::ffff:127.0.0.1]:6443"}, {}, {}, "loopback"),
    "localhost": ({"server": "https://LocalHost:6443"}, {}, {}, "loopback"),
    "metadata": ({"server": "https://169.254.169.254"}, {}, {}, "link-local"),
    "metadata of IPv6": ({"server": "https://[fd00:ec2::254]"}, {}, {}, "link-local"),
    "unspecified": ({"server": "https://0.0.0.0:6443"}, {}, {}, "loopback, link-local"),
    "a name that is none": ({"tls-server-name": "two words"}, {}, {}, "tls-server-name"),
    "no current context": ({}, {}, {"current-context": None}, "does not name current-context"),
    "a current context that is not there": ({}, {}, {"current-context": "other"}, "does not hold current-context"),
    "no contexts": ({}, {}, {"contexts": "none"}, "does not hold current-context"),
    "no users": ({}, {}, {"users": []}, "does not hold the user"),
    "an empty cluster": ({}, {}, {"clusters": [{"name": "remote"}]}, "does not hold the cluster"),
    "two clusters of one name": (
        {}, {}, {"clusters": [{"name": "remote", "cluster": {}}] * 2}, "two clusters of the same name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(pki: PKI, case: str) -> None:
    """By a sentence that names the member, and with advice where there is a choice."""
    cluster, user, whole, words = REFUSED[case]
    document = kubeconfig(cluster_entry(pki, SERVER, cluster), present({**TOKEN_USER, **user}), **whole)
    assert words in refusal(written(document)).message


class TestClientCertificates:
    """Two members that belong together."""

    def test_one_alone(self, pki: PKI) -> None:
        """Half of a pair authenticates nobody."""
        for member in ("client-certificate-data", "client-key-data"):
            half = {member: certificate_user(pki.client("admin"))[member]}
            assert "only one of" in refusal(written(kubeconfig(cluster_entry(pki, SERVER), half))).message

    def test_a_pair_that_is_none(self, pki: PKI) -> None:
        """The key of another certificate, and what is no certificate at all."""
        one, two = certificate_user(pki.client("admin")), certificate_user(pki.client("admin"))
        mixed = {**one, "client-key-data": two["client-key-data"]}
        garbage = {**one, "client-certificate-data": encoded(b"hunter2")}
        for user in (mixed, garbage):
            document = kubeconfig(cluster_entry(pki, SERVER), user)
            assert "cannot be used together" in refusal(written(document)).message

    @pytest.mark.parametrize("header", ["ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY"])
    def test_a_key_behind_a_password(self, pki: PKI, header: str) -> None:
        """OpenSSL would ask at the terminal, and the operator would stand still."""
        dek = "" if header.startswith("ENC") else "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"
        key = f"-----BEGIN {header}-----\n{dek}aHVudGVyMg==\n-----END {header}-----\n".encode()
        user = {**certificate_user(pki.client("admin")), "client-key-data": encoded(key)}
        assert "password" in refusal(written(kubeconfig(cluster_entry(pki, SERVER), user))).message


@pytest.mark.parametrize(
    ("content", "words"),
    {
        b"": "is no kubeconfig",
        b"hunter2": "is no kubeconfig",
        b"- hunter2": "is no kubeconfig",
        b"apiVersion: v1\nkind: Pod": "is no kubeconfig",
        b"a: b\n\thunter2: [": "is no YAML (line 2)",
        b"\xff\xfe\x00": "is no YAML",
        b'"\\U7FFFFFFF"': "is no YAML",
        b"[" * 600: "is no YAML",
        b"? " * 1_500: "is no YAML",
        b"a: &a [*a, *a]\nclusters: *b": "is no YAML (line 2)",
        b"clusters: &a [*a]\ncontexts: *a\ncurrent-context: x": "is no YAML",
        b"-----BEGIN PRIVATE KEY-----\nhunter2\n": "is no",
        b"x" * (MAX_BYTES + 1): "is longer than 128 KiB",
    }.items(),
)
def test_what_is_no_kubeconfig(content: bytes, words: str) -> None:
    """Another entry of the Secret, half a file, a bomb."""
    assert words in refusal(content).message


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.2",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "169.254.1.1",
        "fe80::1%eth0",
        "0.0.0.0",
        "::",
        "224.0.0.1",
    ],
)
def test_addresses_inside(address: str) -> None:
    """Whatever their form."""
    assert is_inside(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "2001:db8::1", "fd12::1", "100.64.0.1"])
def test_addresses_outside(address: str) -> None:
    """Private addresses are where hosted control planes are."""
    assert not is_inside(address)


def outcome(content: bytes) -> None:
    """Parse, and let nothing through but a value or the one error."""
    with suppress(KubeconfigRefusedError):
        assert_complete(parse_kubeconfig(content, WHERE))


def assert_complete(found: RemoteKubeconfig) -> None:
    """What is taken can be used."""
    assert found.server.startswith("https://")
    assert found.authority
    assert found.token or (found.certificate and found.key)


@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_value_or_the_one_error(content: bytes) -> None:
    """No other exception, which would be an InternalError at each pass."""
    outcome(content)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_MEMBERS = ("server", "certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
_USERS = ("token", "exec", "client-certificate-data", "client-key-data", "as-groups")


@given(
    st.dictionaries(st.sampled_from(_MEMBERS), _JSON, max_size=2),
    st.dictionaries(st.sampled_from(_USERS), _JSON, max_size=2),
    st.dictionaries(st.sampled_from(("current-context", "contexts", "clusters", "users")), _JSON, max_size=1),
)
def test_any_member_of_any_kind_gives_a_value_or_the_one_error(
    cluster: dict[str, Any], user: dict[str, Any], whole: dict[str, Any]
) -> None:
    """A member of another kind than people expect is refused where it counts."""
    good = {"server": SERVER, "certificate-authority-data": encoded(b"-----BEGIN CERTIFICATE-----\n")}
    document = kubeconfig({**good, **cluster}, {**TOKEN_USER, **user}) | whole
    outcome(json.dumps(document).encode())
    outcome(yaml.safe_dump(document).encode())
