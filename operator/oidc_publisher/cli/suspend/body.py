"""The body of `suspend` and of `resume`: it sets spec.suspend, and says what that means."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import click

from oidc_publisher.cli.connection import NoAnswerError, connected, issuer_named, sentence, set_suspend
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking
from oidc_publisher.cli.text.output import write_result
from oidc_publisher.cli.wait.verdict import SUSPENDED
from oidc_publisher.errors import ClusterError

_STAYS = "What is published stays. Go on with `oidc-publisher resume`."
_GOES_ON = "the operator looks at it now. See `oidc-publisher status`."


@dataclass(frozen=True, slots=True)
class SuspendResult:
    """The result for programs; `changed` is whether the field had another value before."""

    name: str
    suspended: bool
    changed: bool

    @property
    def sentence(self) -> str:
        """The result for people."""
        before = "" if self.changed else "already "
        if self.suspended:
            return f"{self.name} is {before}suspended: {SUSPENDED} {_STAYS}"
        return f"{self.name} goes on: {_GOES_ON}" if self.changed else f"{self.name} was not suspended."


def suspend(name: str, asking: Asking, *, suspended: bool) -> ExitCode:
    """Set spec.suspend of an issuer.

    Raises:
        NoAnswerError: the field could not be set.
    """
    result = asyncio.run(_suspended(name, asking, suspended=suspended))
    write_result(asking, result, lambda: click.echo(result.sentence))
    return ExitCode.YES


async def _suspended(name: str, asking: Asking, *, suspended: bool) -> SuspendResult:
    async with connected(asking.kubeconfig, asking.context) as client:
        try:
            issuer = await issuer_named(client, name)
            changed = issuer.spec.suspend is not suspended
            if changed:
                await set_suspend(client, name, suspended=suspended)
        except ClusterError as error:
            raise NoAnswerError(sentence(error)) from error
    return SuspendResult(name, suspended, changed)
