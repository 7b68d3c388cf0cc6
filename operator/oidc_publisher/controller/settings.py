"""What the operator is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oidc_publisher.controller.shard import WHOLE, Shard
from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.levels import LogFormat, LogLevel

MAX_CONCURRENT = 16

#: Where the health pages are when nobody says otherwise, and the address is free.
DEFAULT_HEALTH_ADDRESS = Address(None, 8080)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The options of `oidc-publisher run`.

    `probe_service_account` is (namespace, name) of the ServiceAccount whose tokens prove an issuer; None is good until
    an issuer has an apiServer source. `key_files_root` is the folder below which key sources may read files; None: nowhere.
    `store_endpoints` are the servers that objects may name as their store (URLs as stores.endpoints.Server.parse takes them);
    none: every one with https. `api_server_names` are names in certificates under which single API servers get the
    credentials, beside the usual ones. `health_address` None means DEFAULT_HEALTH_ADDRESS if that can be had.
    """

    shard: Shard = WHOLE
    max_concurrent: int = MAX_CONCURRENT
    probe_service_account: tuple[str, str] | None = None
    key_files_root: Path | None = None
    store_endpoints: tuple[str, ...] = ()
    api_server_names: tuple[str, ...] = ()
    health_address: Address | None = None
    kubeconfig: str | None = None
    context: str | None = None
    log_format: LogFormat = LogFormat.AUTO
    log_level: LogLevel = LogLevel.INFO
