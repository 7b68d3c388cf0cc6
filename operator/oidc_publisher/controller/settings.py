"""Define the settings that the operator is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oidc_publisher.controller.shard import WHOLE, Shard
from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.levels import LogFormat, LogLevel

MAX_CONCURRENT = 16

#: The address of the health pages when no option names one and this address is free.
DEFAULT_HEALTH_ADDRESS = Address(None, 8080)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """RunSettings holds the options of `oidc-publisher run`.

    `shard_leases`: the (namespace, name) of the Leases by which shards see each other; "-1" to "-n" is added to the name.
    `probe_service_account`: the (namespace, name) of the ServiceAccount whose minted tokens prove an issuer. None
    suffices until an issuer has an apiServer source.
    `key_files_root`: the folder below which key sources may read files; with None they may read no files.
    `store_endpoints`: the servers that objects may name as their store, as URLs for Server.parse of stores/storeendpoints; an
    empty tuple allows every https server.
    `probe_proxies`: the proxies that objects may name for the probe, beside the environment's own.
    `api_server_names`: names in certificates, beside the usual ones, under which single API servers get the
    credentials.
    `health_address`: None means DEFAULT_HEALTH_ADDRESS if that address is free.
    `metrics_address`: None means that no metrics are kept. `metrics_per_key` adds those of single keys.
    """

    shard: Shard = WHOLE
    shard_leases: tuple[str, str] | None = None
    max_concurrent: int = MAX_CONCURRENT
    probe_service_account: tuple[str, str] | None = None
    key_files_root: Path | None = None
    store_endpoints: tuple[str, ...] = ()
    probe_proxies: tuple[str, ...] = ()
    api_server_names: tuple[str, ...] = ()
    health_address: Address | None = None
    metrics_address: Address | None = None
    metrics_per_key: bool = False
    kubeconfig: str | None = None
    context: str | None = None
    log_format: LogFormat = LogFormat.AUTO
    log_level: LogLevel = LogLevel.INFO
