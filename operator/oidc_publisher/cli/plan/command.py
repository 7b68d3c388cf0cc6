"""`oidc-publisher plan`: its options and its help."""

from __future__ import annotations

from datetime import timedelta
from typing import IO, Any

import click

from oidc_publisher.cli.options import (
    Asking,
    Reading,
    common_options,
    filename_option,
    reading_options,
    taken,
    timeout_option,
)


@click.command("plan")
@filename_option(required=True)
@timeout_option("1m", "How long everything may take together.")
@reading_options
@common_options
def command(manifest: IO[bytes], timeout: timedelta, **options: Any) -> int:
    """Show what the operator would write if a manifest were applied now, as a diff of both documents. Nothing is written.

    The manifest's spec is taken with the status (the ledger of keys) of the OIDCIssuer of its name, where the cluster has
    one. Then everything is read as the operator reads it: the key sources, a fresh token of each API server, the
    stored documents and the public URL. It needs your kubeconfig and your credentials for the store; the operator may
    read what yours may not. Unlike the operator, it asks no API server for a token that lives longer than
    rotation.maxTokenLifetime.

    The options that `run` has as well are the same environment variables: --key-files-root is
    OIDC_PUBLISHER_KEY_FILES_ROOT.

    Exit codes: 0 nothing to do; 1 documents would be written; 2 nobody can tell, or it would be refused: a manifest that
    the API server would not take, a store or cluster that cannot be read, documents of somebody else.
    """
    from oidc_publisher.cli.plan.body import plan  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    return plan(manifest, timeout, taken(Asking, options), taken(Reading, options))
