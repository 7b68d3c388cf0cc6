"""`verify` as it is typed, against real HTTPS issuers on loopback."""

from __future__ import annotations

import base64
import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oidc_publisher.cli import main
from tests.support.issuerhost import DISCOVERY, JWKS, IssuerHost
from tests.support.pki import PKI

#: Loopback is no public address and the host has a port, so that no cloud can use the issuer.
FOR = ("--for", "kubernetes,vault")


@pytest.fixture
def issuer(pki: PKI) -> Iterator[IssuerHost]:
    """A healthy issuer."""
    with IssuerHost(pki) as host:
        yield host


def call(*arguments: str) -> int:
    """Run a command in this process; its exit code."""
    with pytest.raises(SystemExit) as exit_info:
        main(list(arguments))
    return int(exit_info.value.code or 0)


@pytest.fixture
def verify(pki: PKI, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Run verify; its exit code and its JSON."""

    def run(url: str, *arguments: str) -> tuple[int, Any]:
        code = call(
            "verify", url, "--ca", str(pki.ca_file), "--allow-private-address", "-o", "json", *(arguments or FOR)
        )
        return code, json.loads(capsys.readouterr().out)

    return run


def rule(page: Any, name: str) -> str:
    return next(str(line["result"]) for line in page["rules"] if line["rule"] == name)


def test_a_healthy_issuer_is_a_yes(issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]) -> None:
    """Every rule that the parties have is kept, and the page shows what was read."""
    code, page = verify(issuer.url)
    assert (code, page["result"]) == (0, "Yes")
    assert page["sentence"] == "Kubernetes and Vault can use this issuer."
    assert page["findings"] == []
    assert {line["result"] for line in page["rules"]} == {"Yes", "Warning"}  # the private address, which was allowed
    address = page["hosts"][0]["addresses"][0]
    assert (address["tlsVersion"], address["certificate"]["chainLength"]) == ("TLSv1.3", 1)
    assert address["certificate"]["daysLeft"] > 0
    assert [(d["document"], d["status"], d["maxAgeSeconds"]) for d in page["documents"][:2]] == [
        ("discovery", 200, 300),
        ("keySet", 200, 300),
    ]
    assert page["keys"] == [{"keyID": "key-1", "algorithm": "RS256"}]


def test_parties_that_cannot_use_it_are_named(issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]) -> None:
    """AWS takes no port, no private address and no private CA; Kubernetes can be told of all three."""
    code, page = verify(issuer.url, "--for", "aws,kubernetes")
    assert code == 1
    assert page["sentence"] == "Kubernetes can use this issuer; AWS cannot use it."
    assert rule(page, "AWS takes a URL with its port") == "No"
    assert rule(page, "AWS takes this number of keys") == "Yes"
    assert "probe." not in json.dumps(page)  # no object has such a field here


BROKEN: dict[str, tuple[Callable[[IssuerHost], object], str, str]] = {
    "not there": (lambda i: i.answers.pop(DISCOVERY), "DocumentNotFound", "Critical"),
    "key set not there": (lambda i: i.answers.pop(JWKS), "DocumentNotFound", "Critical"),
    "another issuer": (lambda i: i.discover(issuer=f"{i.url}/"), "IssuerMismatch", "Critical"),
    "keys over http": (lambda i: i.discover(jwks_uri=i.url.replace("https", "http")), "JWKSURIInvalid", "Critical"),
    "keys with a user": (
        lambda i: i.discover(jwks_uri=i.url.replace("//", "//u:secret@")),
        "JWKSURIInvalid",
        "Critical",
    ),
    "keys at no URL": (lambda i: i.discover(jwks_uri="/openid/v1/jwks"), "JWKSURIInvalid", "Critical"),
    "HTML": (lambda i: setattr(i.answers[DISCOVERY], "body", b"<html>"), "DocumentInvalid", "Critical"),
    "no Cache-Control": (
        lambda i: i.answers[JWKS].headers.pop("Cache-Control") and None,
        "CacheControlWrong",
        "Warning",
    ),
    "an endpoint that is a number": (lambda i: i.discover(token_endpoint=5), "DocumentInvalid", "Critical"),
    "an empty set": (lambda i: setattr(i.answers[JWKS], "body", b'{"keys":[]}'), "KeySetInvalid", "Critical"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named(name: str, issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]) -> None:
    """By the reason that the operator would report, and a warning breaks nothing."""
    breaks, reason, severity = BROKEN[name]
    breaks(issuer)
    code, page = verify(issuer.url)
    assert [(f["reason"], f["severity"]) for f in page["findings"]] == [(reason, severity)]
    assert code == (1 if severity == "Critical" else 0)
    assert "secret" not in json.dumps(page)
    assert page["first"].startswith(page["findings"][0]["message"])


def test_a_warning_is_a_no_with_strict(issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]) -> None:
    """As for every command."""
    issuer.answers[JWKS].headers.pop("Cache-Control")
    assert verify(issuer.url, *FOR, "--strict")[0] == 1


def test_keys_at_another_host_are_followed(
    pki: PKI, issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]
) -> None:
    """As relying parties do: the standard allows it, so it is told and breaks nothing, and that host is looked at too."""
    with IssuerHost(pki, key_id="elsewhere") as other:
        issuer.discover(jwks_uri=f"{other.url}/openid/v1/jwks")
        code, page = verify(issuer.url)
    assert (code, page["keys"][0]["keyID"]) == (0, "elsewhere")
    assert [(f["reason"], f["severity"]) for f in page["findings"]] == [("JWKSURIInvalid", "Info")]
    assert len(page["hosts"]) == 2


def test_without_ca_and_leave_the_private_address_is_the_cause(
    issuer: IssuerHost, capsys: pytest.CaptureFixture[str]
) -> None:
    """The advice names the options of this command, not the fields of an object."""
    assert call("verify", issuer.url) == 1
    said = capsys.readouterr().out
    assert "is at the private address" in said
    assert "--allow-private-address" in said
    assert "probe." not in said
    assert issuer.host.connections == 0


def test_resolve_chooses_the_address(issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]) -> None:
    """Whatever the resolver says of the name; TLS still asks for the name."""
    url = issuer.url.replace("localhost", "kubernetes.default.svc")
    issuer.discover(issuer=url, jwks_uri=f"{url}/openid/v1/jwks")
    code, page = verify(url, *FOR, "--resolve", "kubernetes.default.svc=127.0.0.1")
    assert (code, page["hosts"][0]["addresses"][0]["address"]) == (0, "127.0.0.1")


def test_a_host_that_nobody_knows_is_a_no(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The name has no address anywhere."""

    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert call("verify", "https://nobody.example.test") == 1
    assert "does not resolve" in capsys.readouterr().out


def test_a_silent_resolver_is_this_machine_s_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No operator is at work here."""

    def silent(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    assert call("verify", "https://nobody.example.test") == 2
    said = capsys.readouterr().out
    assert "This machine's resolver gives no answer" in said
    assert "The operator's" not in said


# --- what is given instead of an issuer ---------------------------------------------------------------------------------

SECRET = "c2VjcmV0c2VjcmV0"
INSTEAD = {
    "oidc.example.com/prod": "Did you mean https://oidc.example.com/prod?",
    "http://oidc.example.com": "Did you mean https://oidc.example.com?",
    "HTTPS://oidc.example.com": "in lower case",
    "https://oidc.example.com/a b": "no spaces",
    " https://oidc.example.com": "no spaces",
    "https://oidc.example.com/\u00fc": "printable ASCII",
    "https://portal.azure.com/#view/Microsoft_AAD": "perhaps of a console",
    "https://console.example.com/iam?region=x": "perhaps of a console",
    f"https://user:{SECRET}@oidc.example.com": "no user information",
    "https://oidc.example.com/.well-known/openid-configuration": "Give the issuer itself: https://oidc.example.com",
    "https://": "no host",
    "https://host:99999/": "no URL",
    f"eyJhbGciOiJSUzI1NiJ9.{SECRET}.{SECRET}": "That is a token",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}": "one line",
    f"hvs.CAESI{SECRET}": "An issuer is a URL",
    "": "An issuer is a URL",
    "oidci/": "the name of an OIDCIssuer",
    "arn:aws:iam::1:oidc-provider/x": "An issuer is a URL",
}


@pytest.mark.parametrize("given", INSTEAD)
def test_what_is_no_issuer_gets_a_sentence(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, no traceback, and nothing secret repeated."""
    assert call("verify", "--", given) == 2
    said = capsys.readouterr()
    assert INSTEAD[given] in said.err
    assert said.err.count("\n") == 1
    assert SECRET not in said.err + said.out


def test_gzip_that_is_none_is_a_no(issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]) -> None:
    """Go decompresses what says that it is compressed, and fails: kube-apiserver and Vault read nothing."""
    issuer.answers[JWKS].headers["Content-Encoding"] = "gzip"
    code, page = verify(issuer.url)
    assert code == 1
    assert [f["reason"] for f in page["findings"]] == ["DocumentInvalid", "HeadersWrong"]


# --- what is given instead of a token -----------------------------------------------------------------------------------


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


JWT = f"{encoded({'alg': 'RS256', 'kid': 'k'})}.{encoded({'iss': 'x', 'secret': SECRET})}.{SECRET}"
NO_TOKENS: dict[str, tuple[bytes, str]] = {
    "empty": (b"\n", "is empty"),
    "Bearer": (f"Bearer {JWT}".encode(), 'without "Bearer "'),
    "a header": (f"Authorization: Bearer {JWT}".encode(), "as a header does"),
    "quotes": (f'"{JWT}"'.encode(), "has quotes around it"),
    "line breaks": (f"{JWT[:40]}\n{JWT[40:]}".encode(), "spaces or line breaks inside"),
    "a JWE": (f"{encoded({'alg': 'dir'})}.{SECRET}.{SECRET}.{SECRET}.{SECRET}".encode(), "is encrypted"),
    "opaque": (SECRET.encode(), "an opaque token"),
    "three parts of something": (f"{SECRET}.{SECRET}.{SECRET}".encode(), "it may be cut"),
    "binary": (b"\x89PNG\r\n\x1a\n" + SECRET.encode(), "a binary file"),
    "zero bytes": (b"\0" * 10 + SECRET.encode(), "a binary file"),
    "a kubeconfig": (
        f"apiVersion: v1\nkind: Config\nusers:\n- user: {{token: {SECRET}}}\n".encode(),
        "is a kubeconfig",
    ),
    "a kubeconfig in JSON": (json.dumps({"kind": "Config", "token": SECRET}).encode(), "is a kubeconfig"),
    "a TokenRequest": (json.dumps({"status": {"token": JWT}}).encode(), "JSON around a token"),
    "a private key": (f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n".encode(), "holds a private key"),
    "a certificate": (f"-----BEGIN CERTIFICATE-----\n{SECRET}\n".encode(), "is PEM"),
    "too long": (b"a" * 70_000, "longer than any token"),
}


@pytest.mark.parametrize("name", NO_TOKENS)
def test_what_is_no_token_gets_a_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, before anything is connected to; nothing of it is repeated."""
    content, expected = NO_TOKENS[name]
    file = tmp_path / "token"
    file.write_bytes(content)
    assert call("verify", "https://oidc.example.test", "-q", "--token", str(file)) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert SECRET not in said.err + said.out


@pytest.mark.parametrize("name", ["binary", "a kubeconfig", "Bearer", "a JWE", "empty"])
def test_the_same_is_said_of_standard_input(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a pipe brings something else than a token."""
    content, expected = NO_TOKENS[name]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert call("verify", "https://oidc.example.test", "-q", "--token", "-") == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert SECRET not in said.err + said.out


def test_a_token_in_place_of_its_file_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """Click would repeat the name of a file that is not there."""
    assert call("verify", "https://oidc.example.test", "--token", JWT) == 2
    said = capsys.readouterr()
    assert "--token -" in said.err
    assert SECRET not in said.err


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\0", b"{}", b"[1]", b"hello", b"-----BEGIN PRIVATE KEY-----", b"{" * 500, b'{"Statement": 1}'],
)
def test_what_is_no_role_trust_gets_a_sentence(
    content: bytes, issuer: IssuerHost, pki: PKI, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 as well."""
    (tmp_path / "token").write_text(issuer.token())
    (tmp_path / "trust").write_bytes(content)
    files = ("--token", str(tmp_path / "token"), "--role-trust", str(tmp_path / "trust"))
    assert call("verify", issuer.url, "--ca", str(pki.ca_file), "--allow-private-address", "-q", *files) == 2
    assert "The file of --role-trust" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----", b"hello", b"-----BEGIN CERTIFICATE-----\nx"]
)
def test_what_is_no_authority_gets_a_sentence(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is read with half of the settings."""
    (tmp_path / "ca").write_bytes(content)
    assert call("verify", "https://localhost:1", "--allow-private-address", "--ca", str(tmp_path / "ca")) == 2
    assert capsys.readouterr().err


def test_a_file_of_authorities_is_read_whole_or_not_at_all(
    pki: PKI, issuer: IssuerHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part of it would be another set of authorities, which nobody gave."""
    (tmp_path / "ca").write_bytes(pki.ca_pem + b"#" * 1024 * 1024)
    assert call("verify", issuer.url, "--allow-private-address", "--ca", str(tmp_path / "ca")) == 2
    assert "has more than 1 MiB" in capsys.readouterr().err


# --- load and the first line --------------------------------------------------------------------------------------------


def test_a_burst_needs_the_owner_s_word(capsys: pytest.CaptureFixture[str]) -> None:
    """And is never larger than fifty."""
    assert call("verify", "https://oidc.example.test", "--load", "5") == 2
    assert "--i-own-this-host" in capsys.readouterr().err
    assert call("verify", "https://oidc.example.test", "--load", "51", "--i-own-this-host") == 2


def test_a_burst_reads_each_document_once_for_each_stranger(
    issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]
) -> None:
    """Over a connection for each."""
    verify(issuer.url)
    alone, requests = issuer.host.connections, len(issuer.host.requests)
    code, page = verify(issuer.url, *FOR, "--load", "7", "--i-own-this-host")
    assert code == 0
    assert (page["load"]["strangers"], page["load"]["served"], page["load"]["others"]) == (7, 7, {})
    assert issuer.host.connections - alone == alone + 7
    assert len(issuer.host.requests) - requests == requests + 14


def test_a_host_that_throttles_is_a_no(issuer: IssuerHost, verify: Callable[..., tuple[int, Any]]) -> None:
    """Alone everybody is served: only the burst shows it."""
    asked = iter(range(10_000))
    good = issuer.answers[JWKS].body

    def throttling() -> float:
        at_once = next(asked)
        issuer.answers[JWKS].status = 429 if at_once > 14 else 200
        issuer.answers[JWKS].body = good
        return 0.0

    issuer.delay = throttling
    code, page = verify(issuer.url, *FOR, "--load", "20", "--i-own-this-host")
    assert (code, page["load"]["result"]) == (1, "No")
    assert page["load"]["others"]["429"] > 0
    assert "the host throttles" in page["load"]["found"]


def test_the_first_line_is_there_before_the_imports() -> None:
    """Nothing heavy is imported when it is written."""
    code = (
        "import sys\n"
        "from oidc_publisher.cli import main\n"
        "import oidc_publisher.cli.text.progress as progress, oidc_publisher.cli.verify.command as command\n"
        "def told(asking, line):\n"
        "    heavy = {'aiohttp', 'pydantic', 'cryptography', 'rich', 'asyncio'} & sys.modules.keys()\n"
        "    print(line, heavy or 'light'); raise SystemExit(7)\n"
        "command.tell = told\n"
        "main(['verify', 'https://oidc.example.test'])\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (
        7,
        "Reading https://oidc.example.test as a relying party does ... light\n",
    )
    assert time.monotonic() - began < 30
