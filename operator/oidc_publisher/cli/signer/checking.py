"""The body of `signer check`: it asks the signer, reads the manifest, asks the cluster, and writes the report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from oidc_publisher.cli.check.lines import CheckResult, Line, Report, Section
from oidc_publisher.cli.check.text import print_report
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking
from oidc_publisher.cli.signer.founding import content_of, wrapping_of
from oidc_publisher.cli.signer.serverlines import cluster_lines
from oidc_publisher.cli.signer.socketlines import SignerAnswers, asked, socket_lines
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
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.output import write_result
from oidc_publisher.errors import ClusterError, KeyRefusedError
from oidc_publisher.harmless import harmless
from oidc_publisher.keys import read_entry
from oidc_publisher.signer.keypairs import read_pair
from oidc_publisher.signer.kube import KubeAccess
from oidc_publisher.signer.storage import RingUnreadableError, Wrapping


def check(
    asking: Asking,
    *,
    socket: Path,
    manifest: Path | None,
    kubeconfig: Path | None,
    wrapping_key_file: Path | None,
    plaintext_secret: bool,
) -> ExitCode:
    """Write the report of one signer, and return its exit code.

    Raises:
        UsageError: a wrapping key was given without a kubeconfig, or two ways of wrapping were.
        PublisherError: the kubeconfig or the wrapping key cannot be used.
    """
    wrapping = _wrapping(wrapping_key_file, plaintext=plaintext_secret)
    if wrapping is not None and kubeconfig is None:
        raise click.UsageError("The Secret is read with --kubeconfig: give both, or neither.")
    access = None if kubeconfig is None else KubeAccess.read(kubeconfig)
    report = Report.of(_sections(socket, manifest, access, wrapping))
    write_result(asking, report, lambda: print_report(report, console_for(sys.stdout, no_color=asking.no_color)))
    if asking.quiet and (worst := report.worst) is not None and report.exit_code is not ExitCode.YES:
        click.echo(f"Error: {harmless(f'{worst.check}: {worst.found}')}", err=True)
    return report.exit_code


def _wrapping(file: Path | None, *, plaintext: bool) -> Wrapping | None:
    return wrapping_of(file, plaintext=plaintext) if file or plaintext else None


def _sections(
    socket: Path, manifest: Path | None, access: KubeAccess | None, wrapping: Wrapping | None
) -> Iterator[Section]:
    answers = asked(socket)
    if isinstance(answers, Line):
        yield Section("SIGNER", (answers,))
        return
    yield Section("SIGNER", tuple(socket_lines(answers, datetime.now(UTC))))
    try:
        key_id = answers.signed.key_id or ""
    except ClusterError:
        return  # its line is above, and there is nothing to compare with
    if manifest is not None:
        yield Section("KUBE-APISERVER", tuple(_manifest_lines(manifest, socket, answers, key_id)))
    if access is not None:
        yield Section("CLUSTER", tuple(cluster_lines(access, answers, key_id, wrapping)))


def _manifest_lines(path: Path, socket: Path, answers: SignerAnswers, key_id: str) -> Iterator[Line]:
    try:
        pod = StaticPod.read(content_of(path).decode())
    except RingUnreadableError as error:
        yield Line(CheckResult.NO_ANSWER, str(path), error.message, "Run the check as root on the node.")
        return
    except (ManifestError, UnicodeDecodeError) as error:
        yield Line(CheckResult.NO, str(path), f"{error}")
        return
    yield from endpoint_lines(pod, str(socket.absolute()))
    for flag in (SIGNS_BY_FILE, VERIFIES_BY_FILE):
        for name in pod.flags.get(flag, ()):
            yield key_file_line(_key_file(flag, name, pod), key_id, answers.listed)
    yield from lifetime_lines(pod, answers.lifetime)


def _key_file(flag: str, name: str, pod: StaticPod) -> KeyFile:
    """Read a key file of the manifest, at its place on the node."""
    try:
        content = content_of(Path(pod.on_host(name) or name))
        return KeyFile(flag, name, (read_pair(content)[0].key_id,))
    except RingUnreadableError as error:
        return KeyFile(flag, name, trouble=error.message)
    except KeyRefusedError as error:
        public = () if flag == SIGNS_BY_FILE else tuple(key.key_id for key in read_entry(content).keys)
        return KeyFile(flag, name, public, trouble="" if public else error.message)
