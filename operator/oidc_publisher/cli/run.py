"""`oidc-publisher run`: its options, each also an environment variable."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from oidc_publisher.cli.options import store_endpoint_option
from oidc_publisher.cli.parameters import each, host_name, namespaced_name, parsed
from oidc_publisher.controller.settings import MAX_CONCURRENT, RunSettings
from oidc_publisher.controller.shard import Shard
from oidc_publisher.process import leave
from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.levels import LogFormat, LogLevel

_CONTEXT = {"auto_envvar_prefix": "OIDC_PUBLISHER", "show_default": True}


@click.command("run", context_settings=_CONTEXT)
@click.option(
    "--kubeconfig", metavar="FILE", help="Instead of KUBECONFIG, ~/.kube/config or the pod's own credentials."
)
@click.option("--context", metavar="NAME", help="Context of the kubeconfig, instead of its current one.")
@click.option(
    "--probe-service-account",
    metavar="NS/NAME",
    callback=parsed(namespaced_name),
    help="ServiceAccount whose tokens prove the issuer. Needed as soon as an OIDCIssuer has an apiServer source.",
)
@click.option(
    "--shard",
    metavar="I/N",
    default="1/1",
    callback=parsed(Shard.parse),
    help="Look after part I of N of all OIDCIssuers; run one replica for each part.",
)
@click.option(
    "--max-concurrent",
    metavar="NUMBER",
    type=click.IntRange(1, 256),
    default=MAX_CONCURRENT,
    help="How many OIDCIssuers are looked at together.",
)
@click.option(
    "--key-files-root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder below which key sources may read files. Without it none may.",
)
@store_endpoint_option
@click.option(
    "--api-server-name",
    "api_server_names",
    metavar="NAME",
    multiple=True,
    envvar="OIDC_PUBLISHER_API_SERVER_NAME",
    callback=each(host_name),
    help="A name in certificates of the cluster's CA under which a single API server gets the operator's credentials, "
    "beside kubernetes.default.svc and the kubeconfig's own server. May be given more than once.",
)
@click.option(
    "--health-address",
    metavar="HOST:PORT",
    callback=parsed(Address.parse),
    help="Where /livez and /readyz are served. Without it :8080, and nowhere when that is taken.",
)
@click.option(
    "--log-format",
    type=click.Choice([known.value for known in LogFormat]),
    default=LogFormat.AUTO.value,
    callback=parsed(LogFormat),
    help="auto is text on a terminal, else JSON.",
)
@click.option(
    "--log-level",
    type=click.Choice([known.value for known in LogLevel]),
    default=LogLevel.INFO.value,
    callback=parsed(LogLevel),
    help="The least important lines that are printed.",
)
def command(log_format: LogFormat, log_level: LogLevel, **options: Any) -> NoReturn:
    """Run the operator: read, plan, publish, prove and report every OIDCIssuer of the cluster.

    Each option is also an environment variable: --log-format is OIDC_PUBLISHER_LOG_FORMAT.

    It runs until SIGTERM or Ctrl-C, waits for the API server and for the CRD, and ends with 0.
    """
    # As PID 1 of a container a process ignores signals that it has no handler for, also while it still imports.
    signal.signal(signal.SIGTERM, lambda *_: leave(0))
    leave(_run(RunSettings(log_format=log_format, log_level=log_level, **options)))


def _run(settings: RunSettings) -> int:
    # structlog takes rich for its tracebacks wherever it is installed: 4 MiB and 50 ms that no line of the log is worth.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # None makes the import fail, as documented
    # Imported here: kopf, aiohttp and kubernetes cost half a second, and --help needs none of them.
    from oidc_publisher.controller import operator  # noqa: PLC0415
    from oidc_publisher.telemetry import health, logs  # noqa: PLC0415

    logs.configure(settings.log_format, settings.log_level)
    try:
        return asyncio.run(operator.run(settings))
    except health.ListenError as error:
        raise click.BadParameter(f"{error}.", param_hint="'--health-address'") from None
