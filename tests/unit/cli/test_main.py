"""The command line as a shell sees it: text, exit codes, and what becomes of errors."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import click
import pytest

from oidc_publisher import __version__
from oidc_publisher.cli import main
from oidc_publisher.cli.main import cli
from oidc_publisher.cli.parameters import issuer_name
from oidc_publisher.cli.status.page import Page, page_of
from oidc_publisher.controller.settings import RunSettings
from tests.support.statuses import NOW, issuer

FOLDER = Path(__file__).parents[3]
NOT_WRITTEN = "Error: The result could not be written: No space left on device.\n"
UNKNOWN_HOST = """
apiVersion: v1
kind: Config
current-context: one
contexts: [{name: one, context: {cluster: one, user: one}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: one, user: {token: irrelevant}}]
"""


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python -m oidc_publisher` in an empty environment."""
    clean = {"PATH": os.environ["PATH"], "HOME": "/proc/nonexistent"}
    return subprocess.run(
        [sys.executable, "-m", "oidc_publisher", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=clean | (env or {}),
    )


def written_to(stdout: str | int, *arguments: str, stderr: str | int = subprocess.PIPE) -> tuple[int, str]:
    """Run it with its streams on devices or descriptors; the exit code and what stderr says."""
    with contextlib.ExitStack() as opened:
        out, err = (
            opened.enter_context(Path(stream).open("w")) if isinstance(stream, str) else stream
            for stream in (stdout, stderr)
        )
        done = subprocess.run(
            [sys.executable, "-m", "oidc_publisher", *arguments],
            stdout=out,
            stderr=err,
            text=True,
            timeout=30,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": "/proc/nonexistent"},
        )
    return done.returncode, done.stderr or ""


def call(*arguments: str) -> int:
    """Run the command line in this process and return its exit code."""
    with pytest.raises(SystemExit) as exit_info:
        main(list(arguments))
    return int(exit_info.value.code or 0)


def test_help_lists_the_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """The first thing that somebody types."""
    assert call("--help") == 0
    said = capsys.readouterr().out
    lines = " ".join(said.split())
    assert "run Run the operator." in lines
    assert "version Print the version." in lines
    assert "plan Show what a manifest would change, as a diff. Nothing is written." in lines
    assert "wait Wait until an issuer is Ready, or a key is safe to sign with." in lines
    assert "explain Say what an error of a relying party means, or a reason." in lines
    assert "Exit codes" in said


@pytest.mark.parametrize("command", [[], *([name] for name in cli.list_commands(click.Context(cli)))], ids=" ".join)
def test_no_name_in_the_help_is_cut_at_a_hyphen(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options and annotations can be copied from it, however wide the terminal is."""
    for columns in range(60, 120, 5):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert call(*command, "--help") == 0
        said = capsys.readouterr().out
        assert said.isascii()
        assert not re.search(r"\w-$", said, re.MULTILINE)


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """To stdout, as a result."""
    assert call("version") == 0
    assert capsys.readouterr().out == f"oidc-publisher {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "No such command 'runn'"),
        (["run", "--no-such-option"], "No such option"),
        (["run", "--shard", "9/8"], "'--shard': '9/8' must be between 1/8 and 8/8."),
        (["run", "--shard", "half"], "must be two whole numbers such as 2/8"),
        (["run", "--health-address", "8080"], "'8080' must be HOST:PORT or :PORT, such as :8080 or 127.0.0.1:8080."),
        (["run", "--probe-service-account", "probe"], "'probe' must be NAMESPACE/NAME"),
        (["run", "--probe-service-account", "A/b"], "must be NAMESPACE/NAME"),
        (["run", "--probe-service-account", "a/b/c"], "must be NAMESPACE/NAME"),
        (["run", "--api-server-name", "api:6443"], "'api:6443' must be a DNS name or an IP address, without a port."),
        (["run", "--max-concurrent", "0"], "0 is not in the range"),
        (["run", "--store-endpoint", "minio:9000"], "'minio:9000' must be the URL of a server without a path, such as"),
        (["run", "--store-endpoint", "https://a", "--store-endpoint", "https://a/b"], "'https://a/b' must be the URL"),
        (["plan", "-f", "README.md", "--store-endpoint", "x"], "'x' must be the URL of a server"),
        (["run", "--log-format", "xml"], "'xml' is not one of 'auto', 'json', 'text'."),
        (["wait"], "Missing argument 'NAME'."),
        (["reconcile"], "Missing argument 'NAME'."),
        (["suspend"], "Missing argument 'NAME'."),
        (["completion", "csh"], "'csh' is not one of 'bash', 'zsh', 'fish'."),
        (["status", "A"], "'[NAME]': 'A' must be the name of an OIDCIssuer, such as prod or oidci/prod."),
        (["status", "pod/prod"], "must be the name of an OIDCIssuer"),
        (["status", "prod", "-o", "wide"], "'wide' is not one of 'text', 'json', 'yaml'."),
        (["plan"], "Missing option '-f' / '--filename'."),
        (["plan", "-f", "no-such.yaml"], "'no-such.yaml': No such file or directory"),
        (["plan", "-f", "README.md", "--probe-service-account", "probe"], "'probe' must be NAMESPACE/NAME"),
        (["plan", "-f", "/proc/self/mem"], "'/proc/self/mem': Input/output error"),
        (["plan", "-f", "Makefile"], "Makefile is not YAML: line "),
        (["plan", "-f", "pyproject.toml"], "pyproject.toml is not YAML: line "),
        (["wait", "prod"], "Say what to wait for: --for=Ready, or --safe-to-sign KID."),
        (["wait", "prod", "--for=Ready", "--safe-to-sign=x"], "Say what to wait for"),
        (["wait", "prod", "--for=Served"], "'Served' is not known; only Ready is."),
        (["wait", "prod", "--for=Ready", "--timeout=5"], "must be a duration in hours, minutes and seconds"),
        (["wait", "prod", "--for=Ready", "--timeout=0s"], "must be longer than no time at all"),
    ],
)
def test_wrong_usage_is_one_sentence_and_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is right, and is no traceback."""
    assert call(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], None, ()),
        (["--store-endpoint", "https://a", "--store-endpoint=http://b:9000"], None, ("https://a", "http://b:9000")),
        ([], "https://a http://b:9000", ("https://a", "http://b:9000")),
    ],
)
def test_the_allowed_store_endpoints_arrive(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: str | None, expected: tuple[str, ...]
) -> None:
    """As options, each of which is also an environment variable; there several are separated by spaces."""
    seen: list[RunSettings] = []

    def stop(settings: RunSettings) -> int:
        seen.append(settings)
        raise SystemExit(0)

    monkeypatch.setattr("oidc_publisher.cli.run.body.run", stop)
    if environment is not None:
        monkeypatch.setenv("OIDC_PUBLISHER_STORE_ENDPOINT", environment)
    assert call("run", *arguments) == 0
    assert [settings.store_endpoints for settings in seen] == [expected]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be used"),
        ("", "cannot be used"),
        ("{", "cannot be used"),
        ("apiVersion: v1\nkind: Config\n", "cannot be used"),
    ],
    ids=["missing", "empty", "not YAML", "nothing in it"],
)
@pytest.mark.parametrize("command", [["status", "prod"], ["wait", "prod", "--for=Ready"]], ids=" ".join)
def test_a_kubeconfig_that_cannot_be_used_is_one_line_and_2(
    tmp_path: Path,
    command: list[str],
    content: str | None,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Names the file and says what to try."""
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert call(*command) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert str(path) in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.slow  # a process of its own, and its imports
def test_run_ends_at_a_kubeconfig_that_cannot_be_used(tmp_path: Path) -> None:
    """As the other commands do, and not as one that waits for an API server; in a process of its own, which it changes."""
    done = run("run", env={"KUBECONFIG": str(tmp_path / "missing")})
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be used" in done.stderr
    assert str(tmp_path / "missing") in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow  # a process of its own, and its imports
def test_a_manifest_without_end_is_refused_by_its_size() -> None:
    """No more is read than is needed to see that."""
    done = run("plan", "-f", "/dev/zero")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: /dev/zero is larger than 1 MiB")


@pytest.mark.slow  # a process of its own, and its imports
def test_no_credentials_at_all_is_one_line_and_2() -> None:
    """Neither a kubeconfig nor a pod."""
    done = run("run")
    assert done.returncode == 2
    assert "KUBECONFIG" in done.stderr
    assert "Traceback" not in done.stderr


def test_options_are_environment_variables_too() -> None:
    """As a pod's manifest sets them."""
    done = run("run", env={"OIDC_PUBLISHER_SHARD": "9/8"})
    assert done.returncode == 2
    assert "9/8" in done.stderr


def test_a_list_is_an_environment_variable_too() -> None:
    """The variable holds the names with spaces between them; a wrong one is refused by name."""
    done = run("run", env={"OIDC_PUBLISHER_API_SERVER_NAME": "api.internal 10.0.0.1 api:6443"})
    assert done.returncode == 2
    assert "'api:6443' must be a DNS name" in done.stderr


@pytest.mark.parametrize("command", [["run"], ["plan", "-f", "README.md"]], ids=" ".join)
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KEY_FILES_ROOT", "/proc/nonexistent", "'--key-files-root'"),
        ("PROBE_SERVICE_ACCOUNT", "probe", "'--probe-service-account'"),
    ],
)
def test_an_option_of_two_commands_has_one_environment_variable(
    command: list[str], variable: str, value: str, said: str
) -> None:
    """A pod in which `plan` is called has the operator's environment, and plans for the operator's settings."""
    done = run(*command, env={f"OIDC_PUBLISHER_{variable}": value})
    assert done.returncode == 2
    assert said in done.stderr


def test_an_option_of_two_commands_is_the_same_option() -> None:
    """One name, one meaning: its help, its form and its variable do not depend on the command."""
    context = click.Context(cli)
    declared: dict[str, set[tuple[object, ...]]] = {}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        for option in command.params:
            # How long what may last; and --for, which `wait` has as kubectl has it, and `verify` for relying parties.
            if isinstance(option, click.Option) and option.name not in ("timeout", "parties"):
                said = (option.help, option.metavar, type(option.type), option.envvar)
                declared.setdefault(str(option.opts), set()).add(said)
    assert len(declared) > 10
    assert {opts: said for opts, said in declared.items() if len(said) > 1} == {}


@pytest.mark.slow
def test_a_health_address_in_use_is_refused_when_it_was_asked_for(tmp_path: Path) -> None:
    """Without its health pages a pod would be killed for no visible reason."""
    import socket  # noqa: PLC0415 - used by this test alone

    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(UNKNOWN_HOST)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("run", "--health-address", address, env={"KUBECONFIG": str(kubeconfig)})
    assert done.returncode == 2
    assert f"'--health-address': cannot listen on {address}: address already in use." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["prod", "oidci/prod", "oidcissuer/prod", "oidcissuers.oidc-publisher.io/prod"])
def test_an_issuer_is_named_as_kubectl_names_it(name: str) -> None:
    """With or without the resource before it."""
    assert issuer_name(name) == "prod"


@pytest.mark.slow  # a process of its own, and its imports
def test_an_api_server_that_is_not_there_is_one_line_and_2(tmp_path: Path) -> None:
    """`status` does not wait."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(UNKNOWN_HOST)
    done = run("status", "prod", f"--kubeconfig={kubeconfig}")
    assert done.returncode == 2
    assert done.stderr == "Error: 127.0.0.1:1 cannot be connected to (connection refused).\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["version"], *([command, "--help"] for command in ("run", "plan", "status", "wait"))],
    ids=" ".join,
)
def test_a_full_disk_behind_stdout_is_one_sentence_and_2(arguments: list[str]) -> None:
    """It is no traceback, and not 1, which would say that something differs or is not Ready."""
    assert written_to("/dev/full", *arguments) == (2, NOT_WRITTEN)


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_page_that_cannot_be_written_is_no_answer(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Although the issuer is Ready: who redirected the page has not got it."""
    from oidc_publisher.cli.status import body  # noqa: PLC0415 - used by this test alone

    async def read(*_: object) -> tuple[Page, datetime]:
        return page_of(issuer(), (), NOW), NOW

    monkeypatch.setattr(body, "_read", read)
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert call("status", "prod", "-o", output) == 2
    assert capsys.readouterr().err == NOT_WRITTEN


@pytest.mark.parametrize("arguments", [["version"], ["status"], ["run"]], ids=" ".join)
@pytest.mark.slow  # a process of its own, and its imports
def test_a_full_disk_behind_both_streams_is_2_all_the_same(arguments: list[str]) -> None:
    """As with `> log 2>&1`: nobody can be told, but a script is."""
    assert written_to("/dev/full", *arguments, stderr="/dev/full") == (2, "")


@pytest.mark.parametrize(
    ("closed", "arguments", "sentence"),
    [
        (">&-", ["explain", "AccessBlocked"], "Error: The result could not be written: Bad file descriptor.\n"),
        ("<&-", ["explain", "-"], "Error: There is nothing to explain: the text is empty.\n"),
        ("<&-", ["verify", "--quiet", "https://localhost:1", "--token", "-"], "Error: What --token names is empty.\n"),
    ],
)
@pytest.mark.slow  # a process of its own, and its imports
def test_a_closed_stream_is_one_sentence_and_2(closed: str, arguments: list[str], sentence: str) -> None:
    """1 would be an answer."""
    script = f'exec "$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "oidc_publisher", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, sentence)


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "https://localhost", "{}"],
        ["verify", "https://localhost", "--ca", "{}"],
        ["verify", "https://localhost", "--for", "{}"],
        ["verify", "https://localhost", "--{}"],
        ["status", "{}"],
        ["{}"],
    ],
)
@pytest.mark.parametrize(
    "secret", ["eyJhbGciOiJSUzI1NiJ9.hunter2.hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2", "https://u:hunter2@host"]
)
def test_a_secret_in_the_wrong_place_is_not_repeated(
    arguments: list[str], secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Click repeats what it does not understand, and logs of CI keep it."""
    assert call(*(argument.format(secret) for argument in arguments)) == 2
    said = capsys.readouterr()
    assert said.err
    assert "hunter2" not in said.err + said.out


def test_a_result_that_nobody_reads_is_no_answer() -> None:
    """`plan | head` is not `would change` because head has seen enough; nor is it worth a line."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert written_to(writer, "version") == (2, "")
    finally:
        os.close(writer)
