"""`oidc-publisher plan`: what the operator would write for a manifest, without writing anything."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking, Output, Reading, common_options, reading_options, taken
from oidc_publisher.cli.parameters import parsed, timeout
from oidc_publisher.harmless import harmless

if TYPE_CHECKING:
    from oidc_publisher.api import OIDCIssuer
    from oidc_publisher.cli.plan.preview import Preview


@click.command("plan")
@click.option(
    "-f",
    "--filename",
    "manifest",
    metavar="FILE",
    type=click.File("rb"),
    required=True,
    help="YAML or JSON with the OIDCIssuer, which may stand in a List; - is standard input.",
)
@common_options
@reading_options
@click.option(
    "--timeout",
    metavar="DURATION",
    default="1m",
    callback=parsed(timeout),
    help="How long everything may take together.",
    show_default=True,
)
def command(
    manifest: IO[bytes],
    probe_service_account: tuple[str, str] | None,
    key_files_root: Path | None,
    store_endpoints: tuple[str, ...],
    api_server_names: tuple[str, ...],
    timeout: timedelta,
    **options: Any,
) -> int:
    """Show what the operator would write if a manifest were applied now, as a diff of both documents. Nothing is written.

    The manifest's spec is taken with the status (the ledger of keys) of the OIDCIssuer of its name, where the cluster has
    one. Then everything is read as the operator reads it: the key sources, a fresh token of each API server, the
    stored documents and the public URL. It needs your kubeconfig and your credentials of the store; what they may not read,
    the operator may. API servers are not asked for a token beyond rotation.maxTokenLifetime, as the operator asks.

    Exit codes: 0 nothing to do; 1 documents would be written; 2 nobody can tell, or it would be refused: a manifest that
    the API server would not take, a store or cluster that cannot be read, documents of somebody else.
    """
    from oidc_publisher.cli.plan.manifest import MAX_MANIFEST_BYTES, read_manifest  # noqa: PLC0415 - pydantic; --help needs none of it

    try:
        text = manifest.read(MAX_MANIFEST_BYTES + 1)  # enough to see that it is too large: a device may have no end
    except OSError as error:
        raise click.FileError(manifest.name, error.strerror) from None
    wanted = read_manifest(text, "The manifest" if manifest.name == "<stdin>" else manifest.name)
    asking = taken({"name": wanted.metadata.name, **options})
    reading = Reading(
        probe_service_account=probe_service_account,
        key_files_root=key_files_root,
        store_endpoints=store_endpoints,
        api_server_names=api_server_names,
    )
    preview = asyncio.run(_look(asking, wanted, reading, timeout))
    return _say(preview, asking)


async def _look(asking: Asking, wanted: OIDCIssuer, reading: Reading, limit: timedelta) -> Preview:
    # Imported here: aiohttp and kubernetes cost half a second, and --help needs none of them.
    from oidc_publisher.api import format_duration  # noqa: PLC0415
    from oidc_publisher.process import leave  # noqa: PLC0415

    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await _previewed(asking, wanted, reading)
    except TimeoutError:
        click.echo(
            f"Error: Not everything was read within {format_duration(limit)}. Give it more with --timeout.", err=True
        )
        leave(ExitCode.NO_ANSWER)  # a thread inside boto3 would be waited for until its own timeout


async def _previewed(asking: Asking, wanted: OIDCIssuer, reading: Reading) -> Preview:
    from oidc_publisher.cli import connection  # noqa: PLC0415
    from oidc_publisher.cli.plan import basis as planbasis  # noqa: PLC0415
    from oidc_publisher.cli.plan import decide as planpass  # noqa: PLC0415
    from oidc_publisher.cli.plan import preview as planview  # noqa: PLC0415 - as above
    from oidc_publisher.cli.plan.decision import Refused  # noqa: PLC0415
    from oidc_publisher.timing.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    names = reading.api_server_names
    async with connection.connected(asking.kubeconfig, asking.context, api_server_names=names) as client:
        living, crd = await planpass.living_issuer(client, asking.name)
        basis = planbasis.basis_of(wanted, living)
        if wanted.spec.suspend:
            return planview.suspended_preview(basis)
        if not asking.quiet:
            line = f"Reading the key sources, the stored documents and {wanted.spec.issuer_url}. Nothing is written."
            click.secho(line, err=True, dim=sys.stderr.isatty(), color=False if asking.no_color else None)
        decided = await planpass.decide(client, basis, reading, clock)
    if isinstance(decided, Refused):
        return planview.refused_preview(basis, decided)
    mints = reading.probe_service_account is not None
    return planview.preview(basis, decided, clock.now(), mints=mints, crd=crd)


def _say(preview: Preview, asking: Asking) -> int:
    from oidc_publisher.cli.plan.preview import Result  # noqa: PLC0415 - as above

    codes = {Result.NOTHING_TO_DO: ExitCode.YES, Result.WOULD_CHANGE: ExitCode.NO}
    code = codes.get(Result(preview.result), ExitCode.NO_ANSWER)
    if not asking.quiet:
        _write(preview, asking)
    elif code is ExitCode.NO_ANSWER:
        click.echo(f"Error: {harmless(preview.sentence)}", err=True)
    return code


def _write(preview: Preview, asking: Asking) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415 - as above

    if asking.output is Output.TEXT:
        from oidc_publisher.cli.plan.text import print_preview  # noqa: PLC0415
        from oidc_publisher.cli.text.console import console_for  # noqa: PLC0415

        print_preview(preview, console_for(sys.stdout, no_color=asking.no_color), datetime.now(UTC))
    else:
        from oidc_publisher.cli.status.command import written  # noqa: PLC0415
        from oidc_publisher.cli.status.page import to_json  # noqa: PLC0415

        click.echo(written(to_json(preview), asking.output), nl=False)
