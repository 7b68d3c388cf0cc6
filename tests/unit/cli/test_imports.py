"""What a command imports, and when: its help at once, all the rest by one import inside the command."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import oidc_publisher.cli
from oidc_publisher.cli.main import cli
from tests.support.pki import PKI
from tests.support.syntax import syntax_tree

CLI = Path(oidc_publisher.cli.__file__).parent
COMMANDS = sorted(path.relative_to(CLI).as_posix() for path in CLI.glob("*/command.py"))
#: Values of options that only a heavy module understands, each imported where such an option is given.
PARSERS = {"parameters.py": 2}
#: What only one form of a command needs and costs much: the cluster, for `verify oidci/NAME`.
FORMS = {"verify/subject.py": 1}
HEAVY = {
    "aiohttp",
    "asyncio",
    "boto3",
    "botocore",
    "cryptography",
    "kopf",
    "kubernetes",
    "pydantic",
    "rich",
    "structlog",
}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["version"], *([command, "--help"] for command in cli.list_commands(click.Context(cli)))],
    ids=" ".join,
)
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    """They are there at once: each of the heavy packages costs more than all of the help."""
    code = (
        "import sys, contextlib\n"
        "from oidc_publisher.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({arguments!r})\n"
        f"sys.exit(' '.join({HEAVY!r} & sys.modules.keys()) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow  # a process of its own, and its imports
def test_an_issuer_by_its_url_needs_nothing_of_a_cluster() -> None:
    """`verify URL` has a second to its verdict, and imports are most of it."""
    code = (
        "import sys, oidc_publisher.cli.verify.body\n"
        "ours = ('cluster', 'reconcile', 'sources', 'stores', 'telemetry')\n"
        "heavy = {'structlog', *(f'oidc_publisher.{name}' for name in ours)} & sys.modules.keys()\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow  # a process of its own, and its imports
def test_an_operator_in_a_pod_imports_no_kubernetes_package_and_who_needs_it_can(tmp_path: Path, pki: PKI) -> None:
    """It costs 10 MiB, and kopf imports it wherever it is installed."""
    (tmp_path / "ca.crt").write_bytes(pki.ca_pem)
    (tmp_path / "token").write_text("token")
    code = (
        "import sys, oidc_publisher.cli.run.body, oidc_publisher.reconcile.reconciler, oidc_publisher.reconcile.ports\n"
        "from oidc_publisher.cluster.credentials.incluster import in_cluster_login\n"
        f"in_cluster_login({str(tmp_path)!r})\n"
        "found = {'kubernetes', 'oauthlib', 'requests'} & sys.modules.keys()\n"
        "import kubernetes.config\n"
        "sys.exit(' '.join(sorted(found)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow  # a process of its own, and its imports
def test_a_signer_imports_no_reader_of_keys_and_no_tables_of_idna() -> None:
    """It is on every control-plane node, and has 40 MiB: these were half a MiB that it never used."""
    code = (
        "import contextlib, pathlib, ssl, sys\n"
        "import oidc_publisher.cli.main, oidc_publisher.cli.signer.body\n"
        "from oidc_publisher.signer.kube import KubeAccess\n"
        "for host in ('127.0.0.1', '[::1]', 'localhost'):\n"
        "    access = KubeAccess(pathlib.Path(), {'server': f'https://{host}:9'}, {})\n"
        "    with contextlib.suppress(OSError): access.connection(ssl.create_default_context()).connect()\n"
        "readers = {f'oidc_publisher.keys.{name}' for name in ('clusterjwks', 'jwk', 'oddities', 'pem', 'stray')}\n"
        "unwanted = {'encodings.idna', 'kubernetes', 'pydantic', 'stringprep', 'structlog', *readers}\n"
        "sys.exit(' '.join(sorted(unwanted & sys.modules.keys())) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def lazy_imports(module: str) -> int:
    """How many imports stand inside the functions of a module of the command line."""
    tree = syntax_tree(CLI / module)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return len(
        {inner for node in functions for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)}
    )


def test_a_command_enters_its_body_by_one_import() -> None:
    """Everything else stands at the top of a module, where a reader looks for it."""
    # A command that is one module (version, completion) imports nothing heavy at all.
    assert len(COMMANDS) >= 8, "this test reads what it means to read"
    assert {Path(module).parent.name for module in COMMANDS} <= set(cli.list_commands(click.Context(cli)))
    found = {path.relative_to(CLI).as_posix() for path in CLI.rglob("*.py")}
    assert {module: lazy_imports(module) for module in found if lazy_imports(module)} == (
        dict.fromkeys(COMMANDS, 1) | PARSERS | FORMS
    )
