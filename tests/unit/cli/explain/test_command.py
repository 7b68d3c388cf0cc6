"""`explain` as it is typed: texts, files, standard input, reasons, and what is no error at all."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from oidc_publisher.cli import main
from oidc_publisher.cli.explain.pasted import MOST_BYTES
from oidc_publisher.cli.explain.runbooks import runbook
from oidc_publisher.findings import Reason
from tests.support.foreach import for_each

RETRIEVE = "Couldn't retrieve verification key from your identity provider"
KEY = "Gy5tCp88TV5vcIGSo7TF1uf4CRorPE1eb3CBkqO0xdY"


def token() -> str:
    """A token of a cluster, whose signature is a secret."""
    parts = ({"alg": "RS256", "kid": KEY}, {"iss": "https://oidc.example.com/prod", "sub": "system:serviceaccount:a:b"})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join((*encoded, "c2VjcmV0c2VjcmV0c2VjcmV0"))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command in this process: its exit code, its output and its errors."""

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit_info:
            main(["explain", *arguments])
        said = capsys.readouterr()
        return int(exit_info.value.code or 0), said.out, said.err

    return run


def test_a_text_is_explained_with_what_settles_it_and_what_to_do(call: Any) -> None:
    """Meaning, causes, checks, advice and source, and the command with what the text names."""
    code, out, err = call(f"{RETRIEVE} for https://oidc.example.com/prod/.well-known/openid-configuration")
    assert (code, err) == (0, "")
    assert out.startswith(f"AWS STS: {RETRIEVE}\n")
    assert "CloudTrail has no record" in out
    assert "https://repost.aws/knowledge-center/iam-sts-invalididentitytoken" in out
    assert "  oidc-publisher verify https://oidc.example.com/prod --for aws --token token.jwt\n" in out


@pytest.mark.parametrize("how", ["words", "file", "stdin", "dash"])
def test_a_text_may_come_from_anywhere(how: str, call: Any, tmp_path: Path) -> None:
    """As words that nobody quoted, in a file, from a pipe."""
    log = tmp_path / "pod.log"
    log.write_text(f"starting\n{RETRIEVE}\n")
    arguments = {"words": RETRIEVE.split(), "file": [str(log)], "stdin": [], "dash": ["-"]}[how]
    code, out, _ = call(*arguments, stdin=log.read_bytes() if how in ("stdin", "dash") else b"")
    assert code == 0
    assert RETRIEVE in out


def test_the_end_of_a_long_log_counts(call: Any, tmp_path: Path) -> None:
    """What matters stands last; a file without end costs no memory."""
    log = tmp_path / "pod.log"
    log.write_bytes(
        b"Token signature invalid\n" + b"all is well, nothing to see here\n" * (MOST_BYTES // 16) + RETRIEVE.encode()
    )
    code, out, _ = call(str(log), "-o", "json")
    assert code == 0
    assert [text["name"] for text in json.loads(out)["texts"]] == ["sts-key-not-retrieved"]


def test_powershell_writes_utf16(call: Any, tmp_path: Path) -> None:
    """Its > does, with a byte order mark."""
    log = tmp_path / "pod.log"
    log.write_bytes(RETRIEVE.encode("utf-16"))
    assert call(str(log))[0] == 0


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_end_of_a_long_log_of_powershell_counts(order: str, call: Any, tmp_path: Path) -> None:
    """Its mark stands at the begin, which is not kept."""
    log = tmp_path / "pod.log"
    text = "\ufeff" + "all is well, nothing to see here\n" * (MOST_BYTES // 64) + RETRIEVE
    log.write_bytes(text.encode(f"utf-16-{order[0]}e"))
    assert call(str(log))[0] == 0


def test_a_device_without_end_ends(call: Any) -> None:
    """Before it is read for ever."""
    assert call("/dev/zero")[0] == 2


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_the_same(output: str, read: Any, call: Any) -> None:
    """In JSON and in YAML, with stable names."""
    code, out, _ = call(
        "Not authorized to perform sts:AssumeRoleWithWebIdentity on arn:aws:iam::123456789012:role/a", "-o", output
    )
    page = read(out)
    assert code == 0
    assert [text["name"] for text in page["texts"]] == ["sts-not-authorized"]
    assert page["role"] == "arn:aws:iam::123456789012:role/a"
    assert page["commands"][-1] == "oidc-publisher verify URL --for aws --token token.jwt --role-trust trust.json"


def test_quiet_says_nothing(call: Any) -> None:
    """The exit code is the answer."""
    assert call(RETRIEVE, "-q") == (0, "", "")


def test_a_token_in_a_log_is_not_repeated(call: Any) -> None:
    """Neither it nor a part of it; what it says of issuer and subject is."""
    secret = token()
    for output in ("text", "json", "yaml"):
        code, out, err = call(f"sent {secret} and got: {RETRIEVE}; password=hunter2", "-o", output)
        assert code == 0
        assert "https://oidc.example.com/prod" in out
        assert KEY in out
        for part in (*secret.split("."), "hunter2"):
            assert part not in out + err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is nothing to explain: the text is empty."),
        (" \n", "There is nothing to explain: the text is empty."),
        (token(), "That is a token, not an error text."),
        (f"Bearer {token()}", "That is a token, not an error text."),
        (f'"{token()}"', "That is a token, not an error text."),
        (f"{token()[:40]}\n{token()[40:]}\n", "That is a token, not an error text."),
        ("eyJhbGciOiJSU0EtT0FFUCJ9.aaaa.bbbb.cccc.dddd", "That is an encrypted token (JWE)"),
        ("ya29.opaque-token-of-some-provider-0123456789", "None of the"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEsecret\n-----END PRIVATE KEY-----", "That is a private key, not an error text."),
        ("-----BEGIN CERTIFICATE-----\nMIIEsecret\n-----END CERTIFICATE-----", "That is a certificate or a key"),
        ("apiVersion: v1\nkind: Config\nusers:\n- user: {token: secret}\n", "That is a kubeconfig"),
        ('{"kind": "Config", "users": [{"token": "secret"}]}', "That is a kubeconfig"),
        ("https://console.aws.amazon.com/iam?token=secret", "That is an address, not an error text."),
        ("everything is broken", "None of the"),
        ("everything-is-broken", "neither a reason nor a file has that name."),
        ("AccesBlocked", "Did you mean AccessBlocked?"),
        ("invalid bearer token", '"invalid bearer token" says nothing by itself'),
        ("a\x1b]0;title\x07 \u202e b", "None of the"),
        ("x" * 100_000, "None of the"),
    ],
)  # fmt: skip
def test_what_is_no_known_error_is_one_sentence_and_2(text: str, said: str, call: Any) -> None:
    """No traceback, and nothing of what was pasted is repeated, because it may be a secret."""
    code, out, err = call(text)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert said in err
    if text.strip() and said.startswith("That is"):
        assert "secret" not in err
        assert text.strip()[:20] not in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x7fELF\x02\x01\x01\x00secret\x00", "That is no text"),
        (b"\x00" * 100, "That is no text"),
        (b"\xff\xfe\xfd\xfc", "None of the"),
        (b"", "There is nothing to explain"),
    ],
)
def test_a_file_that_is_no_text_is_one_sentence_and_2(content: bytes, said: str, call: Any, tmp_path: Path) -> None:
    """A binary, nothing, and bytes that are no UTF-8."""
    path = tmp_path / "file"
    path.write_bytes(content)
    code, out, err = call(str(path))
    assert (code, out) == (2, "")
    assert said in err
    assert call(stdin=content) == (2, "", err)


def test_a_folder_cannot_be_read(call: Any, tmp_path: Path) -> None:
    """The sentence does not repeat the name, which may be anything."""
    assert call(str(tmp_path)) == (2, "", "Error: The file cannot be read: Is a directory.\n")


@pytest.mark.slow  # a process of its own, and its imports
def test_nothing_at_a_terminal_is_wrong_usage() -> None:
    """It does not wait for a text that nobody types."""
    ours, theirs = pty.openpty()
    code = "from oidc_publisher.cli import main; main(['explain'])"
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=theirs, capture_output=True, text=True, check=False, timeout=30
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2
    assert "Give a text, a reason, the name of a file, or - for standard input." in done.stderr


def at_terminal(columns: int, *arguments: str) -> str:
    """What the command writes to a terminal of so many columns, without colours."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns), "PATH": os.environ["PATH"]}
    code = f"from oidc_publisher.cli import main; main(['explain', *{arguments!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # Linux says so when the other end is closed
            while piece := os.read(ours, 4096):
                said += piece
    os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[\d;]*m", "", said.decode().replace("\r\n", "\n"))


@pytest.mark.slow  # a process of its own, and its imports
def test_a_command_can_be_copied_from_a_narrow_terminal() -> None:
    """The terminal breaks the line, not we; everything else fits."""
    url = "https://oidc.example.com/a/long/path/of/an/issuer"
    lines = at_terminal(60, f"{RETRIEVE} {url}/.well-known/openid-configuration").splitlines()
    assert f"  oidc-publisher verify {url} --for aws --token token.jwt" in lines
    assert [
        line for line in lines if len(line) > 60 and "oidc-publisher verify" not in line and "://" not in line
    ] == []


@pytest.mark.slow  # a process of its own, and its imports
def test_a_runbook_at_a_terminal_has_no_links_to_files() -> None:
    """Pages of the repository cannot be opened there; what they are about stays."""
    said = at_terminal(80, "AccessDenied")
    assert ".md" not in said
    assert "S3, Google Cloud Storage." in " ".join(said.split())
    assert " aws iam simulate-principal-policy" in said


DESCRIBE = """\
Status:
  Conditions:
    Last Transition Time:  2026-11-26T03:38:26Z
    Message:               https://oidc.example.com/prod answers 403.
    Reason:                AccessBlocked
    Status:                False
    Type:                  Ready
    Reason:                Succeeded
  Findings:
    Reason:    CertificateExpiring
Events:
  Type     Reason         Age   From            Message
  Warning  AccessBlocked  5s    oidc-publisher  answers 403
  Normal   KeySafe        9m    oidc-publisher  a key is safe
"""


def test_kubectl_describe_is_explained_by_its_reasons(call: Any) -> None:
    """The gravest first, each once, with the command that prints its page; what is well is left out."""
    code, out, _ = call("-", stdin=DESCRIBE.encode())
    assert code == 0
    assert out.index("Critical AccessBlocked\n") < out.index("Warning CertificateExpiring\n")
    assert out.count("AccessBlocked\n") == 2
    assert "oidc-publisher explain AccessBlocked\n" in out
    assert "Succeeded" not in out
    assert "KeySafe" not in out


@for_each("reason", Reason)
def test_every_reason_has_its_page(reason: Reason, call: Any) -> None:
    """The page that docs/runbooks has, in whatever letters the reason is typed."""
    page = (Path(__file__).parents[4] / f"docs/runbooks/{reason}.md").read_text()
    assert call(reason.lower()) == (0, page, "")
    assert runbook(reason) == page


def test_a_reason_for_programs_has_its_entry_too(call: Any) -> None:
    """With severity, condition, meaning and advice of the catalogue."""
    code, out, _ = call("AccessBlocked", "-o", "json")
    page = json.loads(out)
    assert code == 0
    assert (page["severity"], page["condition"]) == ("Critical", "Served")
    assert page["page"].startswith("# AccessBlocked\n")
