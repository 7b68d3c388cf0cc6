"""Credentials from kubeconfigs, credential plugins and pods; each kind as a real file or program."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import ssl
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from oidc_publisher.cluster import CredentialsError, load_credentials
from oidc_publisher.cluster.credentials.authorization import PluginToken, TokenFile
from oidc_publisher.cluster.credentials.incluster import in_cluster_login
from oidc_publisher.findings import Reason

if TYPE_CHECKING:
    from tests.support.pki import PKI

SECRET = "eyJhbGciOiJSUzI1NiJ9-very-secret"


def kubeconfig(path: Path, pki: PKI, user: dict[str, Any] | None = None, /, name: str = "main", **cluster: Any) -> Path:
    """Write a kubeconfig with one context whose user is `user`."""
    details = {"server": "https://api.example.test:6443", "certificate-authority": str(pki.ca_file), **cluster}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": details}],
        "users": [{"name": name, "user": {"token": SECRET} if user is None else user}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def plugin(path: Path, *, expires_in: timedelta | None, then_fail: bool = False) -> dict[str, Any]:
    """A user with a credential plugin that counts its runs in its tokens: token-1, token-2 ..."""
    lines = [
        "#!/bin/sh",
        f"count=$(( $(cat '{path}.count' 2>/dev/null || echo 0) + 1 ))",
        f"echo $count > '{path}.count'",
        *(["[ $count -gt 1 ] && { echo 'no session' >&2; exit 3; }"] if then_fail else []),
    ]
    expiry = f', "expirationTimestamp": "{_rfc3339(expires_in)}"' if expires_in is not None else ""
    api_version = "client.authentication.k8s.io/v1"
    credential = f'{{"token": "token-%s"{expiry}}}'
    answer = f'{{"apiVersion": "{api_version}", "kind": "ExecCredential", "status": {credential}}}'
    lines.append(f"printf '{answer}' $count")
    path.write_text("\n".join(lines) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": api_version, "command": str(path), "interactiveMode": "Never"}}


def _rfc3339(from_now: timedelta) -> str:
    return (datetime.now(UTC) + from_now).strftime("%Y-%m-%dT%H:%M:%SZ")


def refusal(path: Path | str | None, context: str | None = None) -> CredentialsError:
    """The error that loading ends in."""
    with pytest.raises(CredentialsError) as caught:
        load_credentials(str(path) if path else None, context)
    assert SECRET not in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig at home, none in the environment, no pod."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


class TestWhere:
    """Where credentials are looked for, as kubectl does."""

    def test_nowhere(self) -> None:
        """A clear sentence where there is nothing at all."""
        assert refusal(None).message == "There is no kubeconfig, and this is no pod of a cluster"
        assert refusal(None).reason is Reason.APIServerUnreachable

    def test_a_named_file_must_be_there(self, tmp_path: Path) -> None:
        """A file that was asked for and is not there is not passed over."""
        assert "No such file" in refusal(tmp_path / "none").message

    async def test_named_then_environment_then_home(
        self, tmp_path: Path, pki: PKI, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file named wins over $KUBECONFIG, and that over ~/.kube/config."""
        (tmp_path / "home" / ".kube").mkdir(parents=True)
        kubeconfig(tmp_path / "home" / ".kube" / "config", pki, {"token": "home"})
        assert await load_credentials().headers() == {"Authorization": "Bearer home"}
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "environment", pki, {"token": "environment"})))
        assert await load_credentials().headers() == {"Authorization": "Bearer environment"}
        named = kubeconfig(tmp_path / "named", pki, {"token": "named"})
        assert await load_credentials(str(named)).headers() == {"Authorization": "Bearer named"}

    async def test_several_files_and_a_context(self, tmp_path: Path, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
        """$KUBECONFIG may join files; a relative path is relative to the file that says it."""
        first = kubeconfig(tmp_path / "first", pki, {"token": "one"}, name="one")
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "ca.pem").write_bytes(pki.ca_pem)
        (tmp_path / "sub" / "token").write_text("two\n")
        second = kubeconfig(
            tmp_path / "sub" / "second",
            pki,
            {"tokenFile": "token"},
            name="two",
            **{"certificate-authority": "ca.pem", "server": "https://[fd00::1]"},
        )
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(first), str(tmp_path / "absent"), str(second)]))
        assert load_credentials().host_port == "api.example.test:6443"
        other = load_credentials(context="two")
        assert other.host_port == "[fd00::1]:443"
        assert await other.headers() == {"Authorization": "Bearer two"}

    async def test_a_pod(self, tmp_path: Path, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a pod the mounted token counts, and a renewed one at once."""
        (tmp_path / "ca.crt").write_bytes(pki.ca_pem)
        (tmp_path / "token").write_text("first\n")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
        login = in_cluster_login(str(tmp_path))
        assert login.server == "https://[fd00::1]:443"
        assert await login.authorization.header() == "Bearer first"
        (tmp_path / "renewed").write_text("second\n")
        (tmp_path / "renewed").rename(tmp_path / "token")
        assert await login.authorization.header() == "Bearer second"

    def test_a_pod_without_a_token(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the token is not mounted, the hint says what to set."""
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
        with pytest.raises(CredentialsError, match="token file does not exist") as caught:
            in_cluster_login(str(tmp_path))
        assert "automountServiceAccountToken" in caught.value.hint

    @pytest.mark.parametrize(
        ("damaged", "content", "said", "hinted"),
        [
            ("token", b"\n", "the token file is empty", "may read it"),
            ("ca.crt", b"", "the CA's file is empty", "may read it"),
            ("ca.crt", b"no certificate", "The CA or the client certificate", "may read it"),
            ("ca.crt", None, "the CA's file does not exist", "automountServiceAccountToken"),
            ("KUBERNETES_SERVICE_PORT", None, "KUBERNETES_SERVICE_PORT is not set or empty", "--kubeconfig"),
            ("KUBERNETES_SERVICE_HOST", None, "KUBERNETES_SERVICE_HOST is not set or empty", "--kubeconfig"),
        ],
    )
    def test_a_pod_whose_mount_is_damaged(
        self,
        damaged: str,
        content: bytes | None,
        said: str,
        hinted: str,
        tmp_path: Path,
        pki: PKI,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Each has an error of its own that names what is missing."""
        (tmp_path / "ca.crt").write_bytes(pki.ca_pem)
        (tmp_path / "token").write_text("token\n")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
        assert in_cluster_login(str(tmp_path)).server == "https://10.0.0.1:443"
        if damaged.isupper():
            monkeypatch.delenv(damaged)
        elif content is None:
            (tmp_path / damaged).unlink()
        else:
            (tmp_path / damaged).write_bytes(content)
        with pytest.raises(CredentialsError, match=said) as caught:
            in_cluster_login(str(tmp_path))
        assert hinted in caught.value.hint


class TestWho:
    """How the operator says who it is."""

    async def test_basic_authentication(self, tmp_path: Path, pki: PKI) -> None:
        """User and password."""
        path = kubeconfig(tmp_path / "config", pki, {"username": "me", "password": "pass"})
        expected = "Basic " + base64.b64encode(b"me:pass").decode()
        assert await load_credentials(str(path)).headers() == {"Authorization": expected}

    async def test_a_client_certificate_needs_no_header(self, tmp_path: Path, pki: PKI) -> None:
        """The certificate is in the TLS context; embedded ones too."""
        certificate = pki.client("operator")
        embedded = {
            "client-certificate-data": base64.b64encode(certificate.chain_file.read_bytes()).decode(),
            "client-key-data": base64.b64encode(certificate.key_file.read_bytes()).decode(),
        }
        named = {"client-certificate": str(certificate.chain_file), "client-key": str(certificate.key_file)}
        for number, user in enumerate((embedded, named)):
            path = kubeconfig(tmp_path / f"config-{number}", pki, user)
            assert await load_credentials(str(path)).headers() == {}

    async def test_a_token_file_is_read_again(self, tmp_path: Path, pki: PKI) -> None:
        """Something renews the file; kubernetes.config alone would keep the first token for ever."""
        token = tmp_path / "token"
        token.write_text("one")
        credentials = load_credentials(str(kubeconfig(tmp_path / "config", pki, {"tokenFile": str(token)})))
        assert await credentials.headers() == {"Authorization": "Bearer one"}
        token.write_text("other")
        assert await credentials.headers() == {"Authorization": "Bearer other"}
        token.unlink()
        with pytest.raises(CredentialsError, match="cannot be read: No such file"):
            await credentials.headers()

    @pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b"\xff\xfe", "it is no text")])
    async def test_a_token_file_without_a_token(self, tmp_path: Path, content: bytes, said: str) -> None:
        """Half-written files are not sent as a header."""
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(CredentialsError, match=said):
            await TokenFile(tmp_path / "token").header()

    def test_a_user_who_says_nothing_is_refused(self, tmp_path: Path, pki: PKI) -> None:
        """A kind of credentials that the library does not know is not anonymity."""
        path = kubeconfig(tmp_path / "config", pki, {"auth-provider": {"name": "azure", "config": {}}})
        assert "user main has no credentials" in refusal(path).message

    def test_a_user_who_is_not_there_is_refused(self, tmp_path: Path, pki: PKI) -> None:
        """The library would go on without one."""
        path = kubeconfig(tmp_path / "config", pki)
        content = yaml.safe_load(path.read_text())
        content["users"] = []
        path.write_text(yaml.safe_dump(content))
        assert "names user main, who is not in it" in refusal(path).message

    async def test_no_user_is_anonymity(self, tmp_path: Path, pki: PKI) -> None:
        """A context that names none means it (kubectl proxy)."""
        path = kubeconfig(tmp_path / "config", pki, server="http://127.0.0.1:8001")
        content = yaml.safe_load(path.read_text())
        del content["contexts"][0]["context"]["user"]
        path.write_text(yaml.safe_dump(content))
        assert await load_credentials(str(path)).headers() == {}


class TestPlugins:
    """Credential plugins (exec)."""

    async def test_a_token_is_renewed_before_it_expires(self, tmp_path: Path, pki: PKI) -> None:
        """The plugin runs again within five minutes of the end, once for all requests that wait for it."""
        user = plugin(tmp_path / "plugin", expires_in=timedelta(minutes=4))
        credentials = load_credentials(str(kubeconfig(tmp_path / "config", pki, user)))
        headers = await asyncio.gather(*(credentials.headers() for _ in range(8)))
        assert headers == [{"Authorization": "Bearer token-2"}] * 8
        assert await credentials.headers() == {"Authorization": "Bearer token-2"}  # not for every request
        assert (tmp_path / "plugin.count").read_text() == "2\n"

    async def test_a_plugin_that_hangs_keeps_no_request_beyond_its_own_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The last token is good for as long as it is; the plugin has threads of its own, and one that ends late counts."""
        monkeypatch.setattr("oidc_publisher.cluster.credentials.authorization._PLUGIN_WAIT_S", 0.05)
        monkeypatch.setattr("oidc_publisher.cluster.credentials.authorization._PLUGIN_PAUSE_S", 0.0)
        over = threading.Event()
        ends = [datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(hours=1)]
        done = list[str]()

        def refresh() -> str:
            over.wait(60)
            done.append(threading.current_thread().name)
            return "Bearer late"

        token = PluginToken("Bearer old", plugin=str(tmp_path), expiry=lambda: ends[len(done)], refresh=refresh)
        for _ in range(2):
            with pytest.raises(CredentialsError, match="does not end"):
                await token.header()
        over.set()
        assert token._running is not None
        await token._running
        assert await token.header() == "Bearer late"
        assert done == ["plugin"]

    async def test_a_token_that_lasts_is_kept(self, tmp_path: Path, pki: PKI) -> None:
        """No process is started for a token that is good."""
        user = plugin(tmp_path / "plugin", expires_in=timedelta(hours=1))
        credentials = load_credentials(str(kubeconfig(tmp_path / "config", pki, user)))
        assert await credentials.headers() == {"Authorization": "Bearer token-1"}
        assert (tmp_path / "plugin.count").read_text() == "1\n"

    async def test_a_token_without_a_date_is_renewed_when_it_is_refused(self, tmp_path: Path, pki: PKI) -> None:
        """`renew` is what the client calls after a 401; not more often than every 30 s."""
        user = plugin(tmp_path / "plugin", expires_in=None)
        credentials = load_credentials(str(kubeconfig(tmp_path / "config", pki, user)))
        assert await credentials.headers() == {"Authorization": "Bearer token-1"}
        assert await credentials.renew()
        assert await credentials.headers() == {"Authorization": "Bearer token-2"}
        assert not await credentials.renew()

    async def test_a_failing_plugin_is_forgiven_until_its_token_expires(self, tmp_path: Path, pki: PKI) -> None:
        """Between "expires soon" and "expired" the old token is still good."""
        user = plugin(tmp_path / "soon", expires_in=timedelta(minutes=4), then_fail=True)
        credentials = load_credentials(str(kubeconfig(tmp_path / "config", pki, user)))
        assert await credentials.headers() == {"Authorization": "Bearer token-1"}
        user = plugin(tmp_path / "gone", expires_in=timedelta(seconds=-1), then_fail=True)
        credentials = load_credentials(str(kubeconfig(tmp_path / "config", pki, user)))
        for _ in range(2):
            with pytest.raises(CredentialsError) as caught:
                await credentials.headers()
            assert caught.value.message == f"The credential plugin {tmp_path}/gone fails: exec: process returned 3"
        assert (tmp_path / "gone.count").read_text() == "2\n"

    def test_a_missing_plugin_is_refused(self, tmp_path: Path, pki: PKI, capfd: pytest.CaptureFixture[str]) -> None:
        """The library would print a line and go on anonymously."""
        entry = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "no-such-plugin",
            "interactiveMode": "Never",
        }
        error = refusal(kubeconfig(tmp_path / "config", pki, {"exec": entry}))
        assert error.message.startswith(
            f"The credential plugin no-such-plugin of user main in {tmp_path}/config gave no"
        )
        assert error.hint == "Install no-such-plugin on the PATH, and run it by hand."
        told = refusal(kubeconfig(tmp_path / "config", pki, {"exec": {**entry, "installHint": "brew install it"}}))
        assert told.hint == "brew install it"
        assert capfd.readouterr().err == ""

    def test_a_plugin_that_fails_is_refused(self, tmp_path: Path, pki: PKI) -> None:
        """With what it said, for this is read at a terminal."""
        plugin(tmp_path / "plugin", expires_in=None, then_fail=True)
        user = plugin(tmp_path / "plugin", expires_in=None, then_fail=True)
        (tmp_path / "plugin.count").write_text("1")
        assert "no session" in refusal(kubeconfig(tmp_path / "config", pki, user)).message

    def test_logging_is_left_as_it_was(self, tmp_path: Path, pki: PKI) -> None:
        """The library's logging.error() would configure the root logger of the whole process."""
        before = list(logging.getLogger().handlers)
        refusal(kubeconfig(tmp_path / "config", pki, {"exec": {"apiVersion": "v1", "command": "no-such-plugin"}}))
        assert logging.getLogger().handlers == before


class TestWhom:
    """The server, and how it is known."""

    def test_tls_settings(self, tmp_path: Path, pki: PKI) -> None:
        """Name, proxy and verification are as the cluster entry says."""
        path = kubeconfig(tmp_path / "a", pki, **{"tls-server-name": "api", "proxy-url": "http://proxy.test:3128"})
        credentials = load_credentials(str(path))
        assert (credentials.tls_server_name, credentials.proxy) == ("api", "http://proxy.test:3128")
        assert credentials.tls.verify_mode is ssl.CERT_REQUIRED
        path = kubeconfig(tmp_path / "b", pki, **dict[str, Any]({"insecure-skip-tls-verify": True}))
        credentials = load_credentials(str(path))
        assert credentials.tls.verify_mode is ssl.CERT_NONE
        assert (credentials.tls_server_name, credentials.proxy) == (None, None)

    def test_the_environments_proxy_is_for_the_clouds(
        self, tmp_path: Path, pki: PKI, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """HTTPS_PROXY in a pod leads out of the cluster, not to its API server."""
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
        assert load_credentials(str(kubeconfig(tmp_path / "config", pki))).proxy is None

    @pytest.mark.parametrize("member", [{"server": "api:6443"}, {"proxy-url": "socks5://me:pass@proxy.test"}])
    def test_urls_that_are_none(self, tmp_path: Path, pki: PKI, member: dict[str, Any]) -> None:
        """A scheme that cannot be used is said at once, without repeating a password."""
        message = refusal(kubeconfig(tmp_path / "config", pki, **member)).message
        assert "is no http or https URL" in message
        assert "pass@" not in message

    def test_a_ca_that_is_none(self, tmp_path: Path, pki: PKI) -> None:
        """A CA file without a certificate."""
        (tmp_path / "ca.pem").write_text("none")
        path = kubeconfig(tmp_path / "config", pki, **{"certificate-authority": str(tmp_path / "ca.pem")})
        assert "cannot be used" in refusal(path).message

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "not: [yaml",
            "just text",
            "[]",
            "\0",
            f"users: [{{name: main, user: {{token: {SECRET}}}}}]",
            json.dumps({"current-context": "x", "contexts": [{"name": "x", "context": {}}], "token": SECRET}),
            json.dumps(
                {
                    "current-context": "x",
                    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                    "clusters": [{"name": "x", "cluster": {"certificate-authority-data": "!"}}],
                    "users": [{"name": "x", "user": {"exec": {"env": SECRET}}}],
                }
            ),
        ],
    )
    def test_files_that_are_no_kubeconfig(self, tmp_path: Path, text: str) -> None:
        """Whatever is wrong with the file, one kind of error comes out, and never its content."""
        (tmp_path / "config").write_text(text)
        refusal(tmp_path / "config")

    def test_an_unknown_context(self, tmp_path: Path, pki: PKI) -> None:
        """The context that does not exist is named."""
        assert "Expected object with name other" in refusal(kubeconfig(tmp_path / "config", pki), "other").message


@pytest.mark.slow  # a process of its own, and its imports
def test_kubernetes_is_imported_only_when_credentials_are_loaded() -> None:
    """It costs as much as aiohttp; commands that ask no cluster do not pay for it."""
    code = "import sys, oidc_publisher.cluster; sys.exit('kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
