"""`oidc-publisher run`: its options and its help."""

from __future__ import annotations

import signal
import sys
from typing import Any, NoReturn

import click

from oidc_publisher.cli.options import cluster_options, reading_options, word_option
from oidc_publisher.cli.parameters import namespaced_name, parsed
from oidc_publisher.controller.settings import MAX_CONCURRENT, RunSettings
from oidc_publisher.controller.shard import Shard
from oidc_publisher.process import leave
from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.levels import LogFormat, LogLevel

_CONTEXT = {"auto_envvar_prefix": "OIDC_PUBLISHER", "show_default": True}


@click.command("run", context_settings=_CONTEXT)
@cluster_options
@reading_options
@click.option(
    "--shard",
    metavar="I/N",
    default="1/1",
    callback=parsed(Shard.parse),
    help="Look after part I of N of all OIDCIssuers; run one replica for each part.",
)
@click.option(
    "--shard-leases",
    metavar="NS/NAME",
    callback=parsed(namespaced_name),
    help="Leases NAME-1 to NAME-N by which the parts see whether the others run; each has to exist.",
)
@click.option(
    "--max-concurrent",
    metavar="NUMBER",
    type=click.IntRange(1, 256),
    default=MAX_CONCURRENT,
    help="How many OIDCIssuers are looked at together, beside those whose servers do not answer.",
)
@click.option(
    "--health-address",
    metavar="HOST:PORT",
    callback=parsed(Address.parse),
    help="Where /livez and /readyz are served. Without it at :8080, or nowhere if that port is taken.",
)
@click.option(
    "--metrics-address",
    metavar="HOST:PORT",
    callback=parsed(Address.parse),
    help="Where /metrics is served for Prometheus, such as :9090. Without it nowhere.",
)
@click.option(
    "--metrics-per-key", is_flag=True, help="Add metrics of single keys, with the key ID as a label of each series."
)
@word_option("--log-format", default=LogFormat.AUTO, said="auto is text on a terminal, else JSON.")
@word_option("--log-level", default=LogLevel.INFO, said="The least important lines that are printed.")
def command(**options: Any) -> NoReturn:
    """Run the operator: read, plan, publish, prove and report every OIDCIssuer of the cluster.

    Each option is also an environment variable: --log-format is OIDC_PUBLISHER_LOG_FORMAT.

    It waits for the API server and for the CRD, runs until SIGTERM or Ctrl-C, and then exits with 0.
    """
    # The kernel ignores signals to PID 1 of a container that have no handler, and the imports below take a while.
    signal.signal(signal.SIGTERM, lambda *_: leave(0))
    # structlog imports rich where it is installed, to colour tracebacks; that costs 4 MiB and 50 ms.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # None makes the import fail, as documented
    from oidc_publisher.cli.run.body import run  # noqa: PLC0415 - kopf, aiohttp and kubernetes cost half a second

    leave(run(RunSettings(**options)))
