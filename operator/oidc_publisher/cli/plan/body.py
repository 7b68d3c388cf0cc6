"""The body of `plan`: it reads the manifest, the cluster, the store and the public URL, and writes the preview."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import IO

import click

from oidc_publisher.api import OIDCIssuer, remote_cluster
from oidc_publisher.cli.asked import wanted, within
from oidc_publisher.cli.connection import connected
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking, Reading
from oidc_publisher.cli.plan.basis import basis_of
from oidc_publisher.cli.plan.decide import living_issuer, look_and_decide
from oidc_publisher.cli.plan.decision import Refused
from oidc_publisher.cli.plan.preview import Preview, Result, preview, refused_preview, suspended_preview
from oidc_publisher.cli.plan.text import print_preview
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.output import tell, write_result
from oidc_publisher.harmless import harmless
from oidc_publisher.timing.clock import SystemClock

_CODES = {Result.NOTHING_TO_DO: ExitCode.YES, Result.WOULD_CHANGE: ExitCode.NO}


def plan(manifest: IO[bytes], limit: timedelta, asking: Asking, reading: Reading) -> ExitCode:
    """Write the preview of a manifest; return YES when nothing is to do, NO when documents would be written.

    Raises:
        InvalidObjectError: the API server would not take the manifest.
        NoAnswerError: the cluster could not be read.
    """
    shown = asyncio.run(within(limit, _preview(wanted(manifest), asking, reading), "read"))
    code = _CODES.get(shown.result, ExitCode.NO_ANSWER)
    console = console_for(sys.stdout, no_color=asking.no_color)
    write_result(asking, shown, lambda: print_preview(shown, console, datetime.now(UTC)))
    if asking.quiet and code is ExitCode.NO_ANSWER:
        click.echo(f"Error: {harmless(shown.sentence)}", err=True)
    return code


async def _preview(wanted: OIDCIssuer, asking: Asking, reading: Reading) -> Preview:
    clock = SystemClock()
    names = reading.api_server_names
    async with connected(asking.kubeconfig, asking.context, api_server_names=names) as client:
        living, crd = await living_issuer(client, wanted.metadata.name)
        basis = basis_of(wanted, living)
        if wanted.spec.suspend:
            return suspended_preview(basis)
        places = f"the key sources, the stored documents and {wanted.spec.issuer_url}"
        tell(asking, f"Reading {places}. Nothing is written.")
        decided = await look_and_decide(client, basis, reading, clock)
    if isinstance(decided, Refused):
        return refused_preview(basis, decided)
    # A remote cluster has a ServiceAccount of its own for it, which the manifest names.
    mints = reading.probe_service_account is not None or remote_cluster(wanted.spec.key_sources) is not None
    return preview(basis, decided, clock.now(), mints=mints, crd=crd)
