"""The body of `run`: it starts the log and the operator, and returns the exit code of the operator."""

from __future__ import annotations

import asyncio
import gc

import click

from oidc_publisher.controller import operator
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.process import share_arenas
from oidc_publisher.telemetry import logs
from oidc_publisher.telemetry.health import ListenError
from oidc_publisher.timing.loopturns import MeasuredLoop

# Python's own are 700, 10 and 10. What 1,000 issuers hold is replaced all the time, so that all of it was walked through every
# 25 s, for 0.1 s each time, and the young objects eleven times a second: half a percent of a core, in the same memory.
_COLLECTED_AFTER = (5_000, 10, 50)


def run(settings: RunSettings) -> int:
    """Run the operator until it is told to stop, and return the exit code.

    Raises:
        CredentialsError: there are no credentials for an API server.
        BadParameter: an address that was asked for cannot be listened on.
    """
    logs.configure(settings.log_format, settings.log_level)
    gc.set_threshold(*_COLLECTED_AFTER)
    share_arenas()
    credentials = operator.prepare(settings)
    try:
        with asyncio.Runner(loop_factory=MeasuredLoop if settings.metrics_address else None) as runner:
            return runner.run(operator.run(settings, credentials))
    except ListenError as error:
        raise click.BadParameter(f"{error}.", param_hint=f"'{error.option}'") from None
