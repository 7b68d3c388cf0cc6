"""`oidc-publisher wait`: its options and its help."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, name_argument, taken, timeout_option

_READY = "Ready"


@click.command("wait")
@name_argument
@click.option("--for", "condition", metavar=_READY, help="Wait until the issuer is Ready in its present form.")
@click.option(
    "--safe-to-sign", "key_id", metavar="KID", help="Wait until the cluster may sign with the key of this ID."
)
@timeout_option("5m", "How long to wait, in hours, minutes and seconds.")
@common_options
def command(name: str, condition: str | None, key_id: str | None, timeout: timedelta, **options: Any) -> int:
    """Wait until an OIDCIssuer is Ready (--for=Ready), or until a key is safe to sign with (--safe-to-sign KID).

    NAME is the object's name, or oidci/NAME.

    --safe-to-sign does not believe the status as it stands: it asks the operator to look again, with the annotation
    oidc-publisher.io/reconcile-requested-at (verb patch on oidcissuers), and only the answer counts. Run it before each
    restart that makes an API server sign with the key. It ends at once when waiting is in vain: the key is unknown,
    withdrawn, retiring, or safe only after the timeout. A key is not safe while one of the API servers does not list it,
    because that API server would refuse its tokens, and there is no yes while one cannot be read. An API
    server that left the cluster is waited for during two minutes: it may be restarting.

    Exit codes: 0 yes; 1 no, not within the timeout; 2 nobody can tell: wrong usage, no access, no such object, suspended,
    or the operator does not answer.
    """
    if (condition is None) == (key_id is None):
        raise click.UsageError("Say what to wait for: --for=Ready, or --safe-to-sign KID.")
    if condition is not None and condition.lower().removeprefix("condition=") != _READY.lower():
        raise click.BadParameter(
            f"{condition!r} is not known; only Ready is. For others there is kubectl wait --for=condition=...",
            param_hint="'--for'",
        )
    from oidc_publisher.cli.wait.body import wait  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    return wait(name, key_id, timeout, taken(Asking, options))
