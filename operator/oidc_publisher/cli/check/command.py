"""`oidc-publisher check`: its options and its help."""

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
from oidc_publisher.cli.parameters import each, issuer_name


@click.command("check")
@click.argument("names", metavar="[NAME]...", nargs=-1, callback=each(issuer_name))
@filename_option(required=False)
@click.option("--pre", is_flag=True, help="Check what there is before the installation: no CRD, no rights, no objects.")
@timeout_option("1m", "How long everything may take together.")
@reading_options
@common_options
def command(
    names: tuple[str, ...],
    manifest: IO[bytes] | None,
    pre: bool,  # noqa: FBT001 - an option
    timeout: timedelta,
    **options: Any,
) -> int:
    """Check an installation: CRD, permissions, API servers, stores and public URLs, a line each. Nothing is changed.

    Each OIDCIssuer of the cluster is checked, or those of the given names, or the one of a manifest (-f) before it is
    applied. Whether a store can be written shows by a write that has to fail.

    The permissions and the network are those of whoever runs it, so run it in the operator's pod:
    kubectl exec deploy/NAME -n NAMESPACE -- oidc-publisher check; `helm test` does the same.

    With --pre it checks what there is before the installation: whether you may install cluster-wide objects, every API
    server, and the store and public URL of a manifest.

    Exit codes: 0 everything works, with warnings or without; 1 something does not; 2 nothing is known to be broken, but
    not everything could be asked: the API server or a store does not answer.
    """
    if (pre or manifest) and names:
        raise click.UsageError("NAME is about objects in the cluster: give it without --pre and without -f.")
    from oidc_publisher.cli.check.body import check  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    return check(names, manifest, timeout, taken(Asking, options), taken(Reading, options), pre=pre)
