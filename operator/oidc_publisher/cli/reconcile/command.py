"""`oidc-publisher reconcile`: its options and its help."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, name_argument, taken, timeout_option


@click.command("reconcile")
@name_argument
@click.option("--wait", "waits", is_flag=True, help="Wait until the operator has done so, and say whether it is Ready.")
@timeout_option("5m", "How long to wait with --wait, in hours, minutes and seconds.")
@common_options
def command(name: str, timeout: timedelta, *, waits: bool, **options: Any) -> int:
    """Ask the operator to look at an OIDCIssuer now, without waiting for its next interval.

    NAME is the object's name, or oidci/NAME. It sets the annotation oidc-publisher.io/reconcile-requested-at, which needs
    the verb patch on oidcissuers. Nothing else is changed: the operator does what it would have done anyway.

    Exit codes: 0 asked, with --wait: it is Ready; 1 with --wait: it is not; 2 nobody can tell: no access, no such object,
    suspended, or the operator does not answer.
    """
    from oidc_publisher.cli.reconcile.body import reconcile  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    return reconcile(name, timeout, taken(Asking, options), waits=waits)
