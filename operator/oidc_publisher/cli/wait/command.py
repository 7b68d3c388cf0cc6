"""`oidc-publisher wait`: until an issuer is Ready, or until the cluster may sign with a key."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking, Output, asking_options, taken
from oidc_publisher.cli.parameters import parsed, timeout
from oidc_publisher.harmless import harmless

if TYPE_CHECKING:
    from oidc_publisher.cli.wait.verdict import Verdict
    from oidc_publisher.cli.wait.waiting import Judge

_READY = "Ready"


@click.command("wait")
@asking_options
@click.option("--for", "condition", metavar=_READY, help="Wait until the issuer is Ready in its present form.")
@click.option(
    "--safe-to-sign", "key_id", metavar="KID", help="Wait until the cluster may sign with the key of this ID."
)
@click.option(
    "--timeout",
    metavar="DURATION",
    default="5m",
    callback=parsed(timeout),
    help="How long to wait, in hours, minutes and seconds.",
    show_default=True,
)
def command(condition: str | None, key_id: str | None, timeout: timedelta, **options: Any) -> int:
    """Wait until an OIDCIssuer is Ready (--for=Ready), or until a key is safe to sign with (--safe-to-sign KID).

    NAME is the object's name, or oidci/NAME.

    --safe-to-sign believes no status that merely lies there: the operator is asked to look again, with the annotation
    oidc-publisher.io/reconcile-requested-at (verb patch on oidcissuers), and only its answer counts. Run it before each
    restart that makes an API server sign with the key. It ends at once when waiting is in vain: the key is unknown,
    withdrawn, retiring, or safe only after the timeout. A key that an API server does not list is not safe: it would
    refuse its tokens.

    Exit codes: 0 yes; 1 no, not within the timeout; 2 nobody can tell: wrong usage, no access, no such object, suspended,
    or the operator does not answer.
    """
    asking = taken(options)
    if (condition is None) == (key_id is None):
        raise click.UsageError("Say what to wait for: --for=Ready, or --safe-to-sign KID.")
    if condition is not None and condition.lower().removeprefix("condition=") != _READY.lower():
        raise click.BadParameter(
            f"{condition!r} is not known; only Ready is. For others there is kubectl wait --for=condition=...",
            param_hint="'--for'",
        )
    verdict = asyncio.run(_wait(asking, key_id, timeout))
    return _say(asking, key_id, verdict)


async def _wait(asking: Asking, key_id: str | None, limit: timedelta) -> Verdict:
    # Imported here: aiohttp and kubernetes cost half a second, and --help needs none of them.
    from oidc_publisher.cli import connection  # noqa: PLC0415
    from oidc_publisher.cli.wait import verdict, waiting  # noqa: PLC0415

    def tell(line: str) -> None:
        if not asking.quiet:
            click.secho(harmless(line), err=True, dim=sys.stderr.isatty(), color=False if asking.no_color else None)

    judge: Judge = verdict.judge_ready
    if key_id is not None:
        judge = lambda issuer, now: verdict.judge_key(issuer, key_id, now)  # noqa: E731 - bound to this key
    async with connection.connected(asking.kubeconfig, asking.context) as client:
        waited = waiting.Waiting(client, asking.name, judge, limit, tell, asks=key_id is not None)
        return await waited.verdict()


def _say(asking: Asking, key_id: str | None, verdict: Verdict) -> int:
    from oidc_publisher.api import format_time  # noqa: PLC0415 - as above
    from oidc_publisher.cli.status.command import written  # noqa: PLC0415
    from oidc_publisher.cli.wait.verdict import Answer  # noqa: PLC0415

    yes = verdict.answer is Answer.YES
    if asking.output is not Output.TEXT:
        key = verdict.key
        times = {"safeSinceTime": key.safe_since_time, "safeToSignTime": key.safe_to_sign_time} if key else {}
        result: dict[str, object] = {"name": asking.name, "satisfied": yes, "message": verdict.sentence}
        result |= {"keyID": key_id} if key_id is not None else {}
        result |= {"unlistedBy": list(key.unlisted_by)} if key and key.unlisted_by else {}
        result |= {name: format_time(time) for name, time in times.items() if time is not None}
        if not asking.quiet:
            click.echo(written(result, asking.output), nl=False)
    elif not asking.quiet:
        click.echo(harmless(verdict.sentence))
    return ExitCode.YES if yes else ExitCode.NO
