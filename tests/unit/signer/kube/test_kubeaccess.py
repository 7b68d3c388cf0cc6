"""The signer's own way to the API server: kubeconfigs it takes and refuses, and requests over TLS."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from oidc_publisher.signer.kube import KubeAccess, KubeAccessError, KubeApi, KubeRequestError
from tests.support.pki import PKI

CLAIMS = base64.urlsafe_b64encode(b'{"sub": "system:serviceaccount:kube-system:signer"}').decode()


@dataclass(slots=True)
class Script:
    """What a server answers, one entry a request: status and body, or None to hang up; what it was asked, and by whom."""

    answers: list[tuple[int, bytes] | None]
    asked: list[tuple[str, str, str | None, Any]] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)


def _name_of(connection: Any) -> str:
    """The common name of a client's certificate, and the port that it comes from."""
    subject = dict(*(connection.getpeercert() or {"subject": ((("commonName", ""),),)})["subject"])
    return f"{subject['commonName']} {connection.getpeername()[1]}"


@contextmanager
def served(pki: PKI, script: Script) -> Iterator[int]:
    """Serve a script over TLS to clients with a certificate of the authority; yields the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            script.asked.append((self.command, self.path, self.headers.get("Authorization"), body))
            script.clients.append(_name_of(self.connection))
            answer = script.answers.pop(0)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        do_GET = do_PUT = do_POST = do_PATCH = _do  # noqa: N815 - the names of the base class

        def date_time_string(self, timestamp: float | None = None) -> str:
            del timestamp
            return "Thu, 01 Jan 2026 00:00:00 GMT"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    certificate = pki.serving("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki.ca_file))
    context.load_cert_chain(certificate.chain_file, certificate.key_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def kubeconfig(folder: Path, *, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    """Write a kubeconfig."""
    path = folder / "kubeconfig"
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def cluster_of(pki: PKI, port: int, path: str = "") -> dict[str, Any]:
    return {"server": f"https://127.0.0.1:{port}{path}", "certificate-authority": str(pki.ca_file)}


@pytest.mark.parametrize("token", ["t", "a.b", "a.b.c", "a.e30.c", "a.NQ.c", "a.eyJzdWIiOiJhbGljZSJ9.c"])
def test_tokens_of_others_are_taken(tmp_path: Path, token: str) -> None:
    """As of an identity provider, or of a file of tokens."""
    path = kubeconfig(tmp_path, cluster={"server": "https://a", "certificate-authority": "x"}, user={"token": token})
    assert KubeAccess.read(path).headers == {"Authorization": f"Bearer {token}"}


def test_an_object_is_got_with_the_api_servers_time(pki: PKI, tmp_path: Path) -> None:
    """By a token, below the server's own path, on one connection."""
    script = Script([(200, b'{"a": 1}'), (200, b'{"a": 2}')])
    with served(pki, script) as port:
        path = kubeconfig(tmp_path, cluster=cluster_of(pki, port, "/k8s/"), user={"token": "t0"})
        api = KubeApi(KubeAccess.read(path))
        answer = api.get("/api/v1/x")
        assert (answer.document, answer.time) == ({"a": 1}, datetime(2026, 1, 1, tzinfo=UTC))
        assert api.get("/api/v1/y").document == {"a": 2}
    assert script.asked[0] == ("GET", "/k8s/api/v1/x", "Bearer t0", None)


@pytest.mark.parametrize("form", ["files", "data"])
def test_a_client_certificate_is_shown(pki: PKI, tmp_path: Path, form: str) -> None:
    """As files beside the kubeconfig, or within it."""
    certificate = pki.client("oidc-publisher:signer:a")
    files = {"client-certificate": certificate.chain_file, "client-key": certificate.key_file}
    user = {name: str(file) for name, file in files.items()}
    if form == "data":
        user = {f"{name}-data": base64.b64encode(file.read_bytes()).decode() for name, file in files.items()}
    script = Script([(200, b"{}")])
    with served(pki, script) as port:
        KubeApi(KubeAccess.read(kubeconfig(tmp_path, cluster=cluster_of(pki, port), user=user))).get("/")
    assert script.asked == [("GET", "/", None, None)]


def test_a_key_within_the_kubeconfig_touches_no_disk(pki: PKI, tmp_path: Path) -> None:
    """OpenSSL wants a file, which is one in memory, and is gone afterwards."""
    content = pki.client("oidc-publisher:signer:a").key_file.read_bytes()
    user = {"client-certificate-data": "", "client-key-data": base64.b64encode(content).decode()}
    access = KubeAccess.read(kubeconfig(tmp_path, cluster=cluster_of(pki, 1), user=user))
    with access._file(access.user, "client-key") as name:
        assert str(Path(name).readlink()).startswith("/memfd:")
        assert Path(name).read_bytes() == content
    assert not Path(name).exists()


def test_a_connection_that_ended_is_opened_anew(pki: PKI, tmp_path: Path) -> None:
    """For a read. A write is sent once, because it may have taken effect."""
    script = Script([(200, b"{}"), None, (200, b'{"b": 1}'), None])
    with served(pki, script) as port:
        api = KubeApi(KubeAccess.read(kubeconfig(tmp_path, cluster=cluster_of(pki, port), user={"token": "t"})))
        api.get("/")
        assert api.get("/b").document == {"b": 1}
        with pytest.raises(KubeRequestError, match="PUT /c got no answer"):
            api.send("PUT", "/c", {"d": 1})
    assert script.asked[-1] == ("PUT", "/c", "Bearer t", {"d": 1})
    assert len(script.asked) == 4


@pytest.mark.parametrize(
    ("answer", "message", "status"),
    [
        ((403, b'{"message": "secrets is forbidden"}'), "was answered with 403: secrets is forbidden", 403),
        ((409, b"[]"), "was answered with 409", 409),
        ((500, b"<html>"), "was answered with 500", 500),
        ((302, b""), "was answered with 302", 302),
    ],
)
def test_a_refusal_says_what_was_refused(
    pki: PKI, tmp_path: Path, answer: tuple[int, bytes], message: str, status: int
) -> None:
    """With the API server's own words, whatever they are written in; a redirect is not followed."""
    with served(pki, Script([answer])) as port:
        api = KubeApi(KubeAccess.read(kubeconfig(tmp_path, cluster=cluster_of(pki, port), user={"token": "t"})))
        with pytest.raises(KubeRequestError, match=message) as caught:
            api.get("/x")
    assert caught.value.status == status


def test_a_server_of_another_authority_gets_no_credentials(pki: PKI, tmp_path: Path) -> None:
    """The token is not sent to it."""
    other = PKI(tmp_path / "other")
    script = Script([(200, b"{}")])
    with served(other, script) as port:
        path = kubeconfig(tmp_path, cluster=cluster_of(pki, port), user={"token": "t"})
        with pytest.raises(KubeRequestError, match="CERTIFICATE_VERIFY_FAILED"):
            KubeApi(KubeAccess.read(path)).get("/")
    assert script.asked == []


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({"server": "http://a"}, {"token": "t"}, "the server is not https"),
        ({"server": "https://a"}, {"token": "t"}, "no certificate authority"),
        (
            {"server": "https://a", "insecure-skip-tls-verify": True},
            {"token": "t"},
            "would let anybody be the API server",
        ),
        ({"server": "https://a", "certificate-authority": "x"}, {}, "neither a client certificate nor a token"),
        ({"server": "https://a", "certificate-authority": "x"}, {"exec": {}}, "a user with exec is not supported"),
        ({"server": "https://a", "certificate-authority": "x"}, {"tokenFile": "f"}, "tokenFile is not supported"),
        (
            {"server": "https://a", "certificate-authority": "x"},
            {"token": f"e30.{CLAIMS}.c2ln"},
            "its token is that of a ServiceAccount",
        ),
    ],
)
def test_a_kubeconfig_that_is_not_for_a_signer_is_refused(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    """A ServiceAccount's token would have to be signed by the signer itself; plugins are programs of others."""
    with pytest.raises(KubeAccessError, match=message):
        KubeAccess.read(kubeconfig(tmp_path, cluster=cluster, user=user))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file"), (b"\xff", "is not YAML"), (b"a: [", "is not YAML"), (b"{}", "no current")],
)
def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    """By name."""
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KubeAccessError, match=message):
        KubeAccess.read(path)


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"client-certificate": "gone.crt", "client-key": "gone.key"}, "cannot be read: No such file"),
        ({"client-certificate-data": "*", "client-key-data": "*"}, "client-certificate-data is not base64"),
    ],
)
def test_credentials_that_are_gone_are_named(pki: PKI, tmp_path: Path, user: dict[str, str], message: str) -> None:
    """They are read at each connection, since they are renewed."""
    api = KubeApi(KubeAccess.read(kubeconfig(tmp_path, cluster=cluster_of(pki, 1), user=user)))
    with pytest.raises(KubeAccessError, match=message):
        api.get("/")


def test_certificates_are_read_again_only_when_they_are_renewed(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no API server runs there is an attempt each second, and none of them costs a read of the key."""
    certificate = pki.client("oidc-publisher:signer:a")
    for name, file in (("client.crt", certificate.chain_file), ("client.key", certificate.key_file)):
        (tmp_path / name).write_bytes(file.read_bytes())
    user = {"client-certificate": "client.crt", "client-key": "client.key"}
    access = KubeAccess.read(kubeconfig(tmp_path, cluster=cluster_of(pki, 1), user=user))
    read: list[KubeAccess] = []
    context = KubeAccess.context

    def noted(self: KubeAccess) -> ssl.SSLContext:
        read.append(self)
        return context(self)

    monkeypatch.setattr(KubeAccess, "context", noted)
    api = KubeApi(access)

    def ask() -> int:
        with pytest.raises(KubeRequestError, match="Connection refused"):
            api.get("/")
        return len(read)

    assert [ask(), ask(), ask()] == [1, 1, 1]
    renewed = tmp_path / "client.new"
    renewed.write_bytes(certificate.key_file.read_bytes())
    renewed.replace(tmp_path / "client.key")
    assert [ask(), ask()] == [2, 2]
    (tmp_path / "client.key").unlink()
    with pytest.raises(KubeAccessError, match="cannot be read: No such file"):
        api.get("/")


def _with_certificate(pki: PKI, folder: Path, port: int, name: str) -> Path:
    """Write a kubeconfig with a certificate of this name in it, as kubeadm does."""
    certificate = pki.client(name)
    files = {"client-certificate": certificate.chain_file, "client-key": certificate.key_file}
    user = {f"{name}-data": base64.b64encode(file.read_bytes()).decode() for name, file in files.items()}
    return kubeconfig(folder, cluster=cluster_of(pki, port), user=user)


def test_credentials_that_are_renewed_are_used_from_the_next_request_on(pki: PKI, tmp_path: Path) -> None:
    """A connection that never rests would be kept with the former certificate until that expires, and beyond."""
    script = Script([(200, b"{}")] * 4)
    with served(pki, script) as port:
        api = KubeApi(KubeAccess.read(_with_certificate(pki, tmp_path, port, "old")))
        api.get("/")
        api.get("/")
        _with_certificate(pki, tmp_path, port, "new")
        api.get("/")
        api.get("/")
    old, same, new, also = script.clients
    assert old == same
    assert new == also
    assert [each.split()[0] for each in (old, new)] == ["old", "new"]


def test_a_kubeconfig_that_is_spoilt_is_named_until_it_is_mended(pki: PKI, tmp_path: Path) -> None:
    """As one that is written while it is read: each request tries again."""
    script = Script([(200, b"{}")] * 2)
    with served(pki, script) as port:
        path = _with_certificate(pki, tmp_path, port, "old")
        api = KubeApi(KubeAccess.read(path))
        api.get("/")
        whole = path.read_text()
        path.write_text("a: [")
        for _ in range(2):
            with pytest.raises(KubeAccessError, match="is not YAML"):
                api.get("/")
        path.write_text(whole)
        api.get("/")


def test_another_api_server_stays_the_one_that_is_asked(pki: PKI, tmp_path: Path) -> None:
    """Whatever the kubeconfig leads to when it is read again: an answer of another server would be taken for its own."""
    script = Script([(200, b"{}")] * 2)
    with served(pki, script) as port:
        path = _with_certificate(pki, tmp_path, 1, "old")
        api = KubeApi(KubeAccess.read(path).at(f"127.0.0.1:{port}"))
        api.get("/")
        _with_certificate(pki, tmp_path, 1, "new")
        api.get("/")
    assert [each.split()[0] for each in script.clients] == ["old", "new"]


def test_credentials_that_are_refused_are_named_and_tried_on_another_connection(pki: PKI, tmp_path: Path) -> None:
    """401: expired, or of another authority. Behind one address may be an API server that takes them."""
    script = Script([(401, b'{"message": "Unauthorized"}'), (200, b"{}")])
    with served(pki, script) as port:
        api = KubeApi(KubeAccess.read(_with_certificate(pki, tmp_path, port, "a")))
        with pytest.raises(KubeRequestError, match="was answered with 401: Unauthorized") as caught:
            api.get("/")
        assert "Renew the credentials of the signer's kubeconfig" in caught.value.sentence
        api.get("/")
    first, second = script.clients
    assert first != second
