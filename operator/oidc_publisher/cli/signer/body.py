"""The body of `signer`: it starts the log and the signer, and puts a backup back."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.signer.exporting import export
from oidc_publisher.cli.signer.founding import found, rewrap
from oidc_publisher.signer.running import SignerSettings, run_signer
from oidc_publisher.signer.storage import DiskFile, read_backup
from oidc_publisher.wording import counted

__all__ = ["export", "found", "restore", "rewrap", "run"]


def run(
    *,
    wrapping_key_file: Path | None,
    plaintext_secret: bool,
    max_token_lifetime: int,
    hint: int,
    allowed_uids: tuple[int, ...],
    **files: Any,
) -> ExitCode:
    """Run the signer until it is asked to stop.

    Raises:
        UsageError: neither a wrapping key nor plaintext was asked for, or both were.
        PublisherError: the signer cannot begin.
    """
    if (wrapping_key_file is None) is not plaintext_secret:
        raise click.UsageError("Give either --wrapping-key-file or --plaintext-secret.")
    settings = SignerSettings(
        wrapping_key_file=wrapping_key_file,
        max_token_lifetime=timedelta(hours=max_token_lifetime),
        hint=timedelta(seconds=hint),
        allowed_uids=frozenset(allowed_uids) or None,
        **files,
    )
    _log_to_stderr()
    run_signer(settings)
    return ExitCode.YES


def restore(*, file: Path, state: Path) -> ExitCode:
    """Put the backup of a disk back.

    Raises:
        RingUnreadableError: the file is no ring, or the folder cannot be written.
    """
    disk = DiskFile(state)
    if disk.read() is not None:
        click.echo(f"{disk.path} holds a ring already. It is joined with the Secret by itself; nothing was changed.")
        return ExitCode.NO
    copy = read_backup(file)
    disk.write(copy)
    newest = next(iter(copy.ring.keys), None)
    versions = counted(len(copy.ring.keys), "version")
    click.echo(f"Restored {versions}{f', the newest is {newest.number}' if newest else ''}. Start the signer now.")
    return ExitCode.YES


def _log_to_stderr() -> None:
    """Write the signer's own messages as lines of text in UTC. structlog would cost memory that keys do not need."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
