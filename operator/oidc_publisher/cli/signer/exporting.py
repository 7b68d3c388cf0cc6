"""The body of `signer export`: it writes the two key files of an API server that signs without a signer."""

from __future__ import annotations

import os
from pathlib import Path

import click

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.signer.storage import FILE, PRIVATE_FILE, PUBLIC_FILE, key_files, read_backup
from oidc_publisher.signer.storage.ringerror import unreadable
from oidc_publisher.wording import counted

_OWNER_ONLY, _EVERYBODY_READS = 0o600, 0o644


def export(*, state: Path, into: Path) -> ExitCode:
    """Write sa.key and sa.pub; neither replaces a file.

    Raises:
        RingUnreadableError: the folder holds no ring with the key that this node signs with, or nothing can be written.
    """
    taken = [path for path in (into / PRIVATE_FILE, into / PUBLIC_FILE) if path.exists()]
    if taken:
        click.echo(f"{taken[0]} is there already. Nothing was written.")
        return ExitCode.NO
    files = key_files(read_backup(state / FILE))
    _write(into / PUBLIC_FILE, files.public_pem, _EVERYBODY_READS)
    _write(into / PRIVATE_FILE, files.private_pem, _OWNER_ONLY)
    click.echo(
        f"{into / PRIVATE_FILE} is version {files.signing.number}, key {files.signing.key_id}. "
        f"{into / PUBLIC_FILE} has {counted(files.count, 'public key')}."
    )
    return ExitCode.YES


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise unreadable(f"{path} cannot be written: {error.strerror}") from None
