"""What commands are given that read everything once: a manifest, and the time for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import IO, TypeVar

import click

from oidc_publisher.api import OIDCIssuer, format_duration
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.plan.manifest import MAX_MANIFEST_BYTES, read_manifest
from oidc_publisher.process import leave

T = TypeVar("T")


def wanted(manifest: IO[bytes]) -> OIDCIssuer:
    """Read the OIDCIssuer of a manifest.

    Raises:
        InvalidObjectError: the API server would not take the manifest.
        FileError: the file cannot be read.
    """
    try:
        # One byte too many is enough to refuse the manifest, and a device may have no end.
        text = manifest.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise click.FileError(manifest.name, error.strerror) from None
    return read_manifest(text, "The manifest" if manifest.name == "<stdin>" else manifest.name)


async def within(limit: timedelta, answer: Coroutine[None, None, T], done: str) -> T:
    """Return the answer, or exit with NO_ANSWER after `limit`; `done` is what is done to everything meanwhile."""
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await answer
    except TimeoutError:
        said = f"Error: Not everything was {done} within {format_duration(limit)}. Give it more with --timeout."
        click.echo(said, err=True)
        leave(ExitCode.NO_ANSWER)  # Python would wait for a thread inside boto3 until its own timeout
