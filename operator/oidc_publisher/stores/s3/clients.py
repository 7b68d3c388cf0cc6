"""Build S3 clients late and in threads, and share each with every store that needs the same one.

boto3 is imported when the first client is built; what that costs is in docs/reference/performance.md. Further clients
cost about 10 ms.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from oidc_publisher import __version__
from oidc_publisher.stores.deadlines import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from oidc_publisher.stores.s3.endpoint import S3Endpoint

if TYPE_CHECKING:
    import boto3.session
    import botocore.session
    from botocore.config import Config
    from types_boto3_s3 import S3Client

    from oidc_publisher.stores.s3.transport import S3Transport

#: The issuers of one operator rarely need more than a few clients. The least recently used ones are dropped first.
_MAX_CLIENTS = 32
#: The number of asyncio's threads on a machine of up to 28 cores, so that no thread waits for a connection.
_MAX_CONNECTIONS = 32
#: The age that refused credentials must have before a new search, because a search may take seconds.
_MIN_CREDENTIAL_AGE_S = 30.0
_REDIRECTS = {"PermanentRedirect", "IllegalLocationConstraintException"}


class ConditionalWrites(Enum):
    """ConditionalWrites states whether a server is known to honour preconditions on writes."""

    HONOURED = auto()
    UNPROVEN = auto()
    IGNORED = auto()


@dataclass(slots=True, weakref_slot=True, eq=False)
class SharedClient:
    """A SharedClient holds a client and what is known of its server; its connections close with its last reference."""

    client: S3Client
    transport: S3Transport
    conditional_writes: ConditionalWrites
    conditional_reads: bool = True
    built_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, eq=False)
class AWSSession:
    """An AWSSession holds boto3's session, which builds clients, and botocore's below it, which has the settings."""

    boto: boto3.session.Session
    core: botocore.session.Session


class S3Clients:
    """S3Clients holds the clients of this process, one per endpoint. Its methods block: call them in a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: AWSSession | None = None
        self._shared: OrderedDict[S3Endpoint, SharedClient] = OrderedDict()

    def get(self, endpoint: S3Endpoint) -> SharedClient:
        """Return the client for `endpoint`, built when there is none.

        Raises botocore's errors about credentials and configuration, and StoreError about certificate authorities.
        """
        with self._lock:
            shared = self._shared.get(endpoint) or self._build(endpoint)
            self._shared[endpoint] = shared
            self._shared.move_to_end(endpoint)
            if len(self._shared) > _MAX_CLIENTS:
                self._shared.popitem(last=False)
            return shared

    def session(self) -> AWSSession:
        """Return the session whose credentials all clients share, a new one after credentials were refused."""
        with self._lock:
            return self._loaded_session()

    def forget_refused(self, endpoint: S3Endpoint, refused: SharedClient) -> bool:
        """Let the next client search for credentials again, and return whether that search may find others.

        A session never repeats a search that found credentials. What is known of the servers is dropped too, and is
        learnt again at the next write.
        """
        with self._lock:
            if self._shared.get(endpoint) is not refused:
                return True  # another store's call has dropped the client already
            if time.monotonic() - refused.built_at < _MIN_CREDENTIAL_AGE_S:
                return False
            self._session = None
            self._shared.clear()
            return True

    def _build(self, endpoint: S3Endpoint) -> SharedClient:
        session = self._loaded_session()
        client = session.boto.client(
            "s3",
            region_name=endpoint.region,
            endpoint_url=endpoint.endpoint_url,
            config=_config({"s3": {"addressing_style": endpoint.addressing_style.lower()}}),
        )
        transport = transport_to(client.meta.endpoint_url, session, endpoint.certificate_authority)
        transport.serve(client, "s3")
        client.meta.events.register_first("needs-retry.s3", _RefuseRedirects(endpoint.region))
        proven = ConditionalWrites.HONOURED if endpoint.is_amazon else ConditionalWrites.UNPROVEN
        shared = SharedClient(client, transport, proven)
        weakref.finalize(shared, transport.close)
        return shared

    def _loaded_session(self) -> AWSSession:
        if self._session is None:
            import boto3.session  # noqa: PLC0415 - clouds are imported only when used
            import botocore.session  # noqa: PLC0415

            from oidc_publisher.stores.s3.servicedata import shared_loader  # noqa: PLC0415 - imports botocore

            core = botocore.session.get_session()
            core.register_component("data_loader", shared_loader(core.get_config_variable("data_path")))
            core.set_default_client_config(_timeouts())  # for STS, whose default timeouts are minutes
            self._session = AWSSession(boto3.session.Session(botocore_session=core), core)
        return self._session


#: The clients that stores share unless they are given others.
SHARED_CLIENTS = S3Clients()


class _RefuseRedirects:
    """The handler ends a call to the wrong region, where botocore would follow to the right one at twice the calls.

    After a redirect that names no region botocore asks for the bucket. Where that is redirected too, it would ask anew
    from within until Python's stack is full, which takes 80 requests.
    """

    def __init__(self, region: str) -> None:
        self._region = region

    def __call__(self, response: tuple[Any, dict[str, Any]] | None, operation: Any, **_: object) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - clouds are imported only when used

        if response is None:
            return
        asked_already = operation.name == "HeadBucket" and "Error" in response[1]
        if asked_already or wrong_region(response[1], self._region) is not None:
            raise ClientError(cast("Any", response[1]), operation.name)


def wrong_region(parsed: Mapping[str, Any], region: str) -> str | None:
    """Return the bucket's region where an error says that it is not `region`, "" if unnamed, else None."""
    error = parsed.get("Error", {})
    headers = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    named: str = headers.get("x-amz-bucket-region") or error.get("Region") or ""
    if error.get("Code") in _REDIRECTS or (error and named not in {"", region}):
        return named
    return None


def transport_to(url: str, session: AWSSession, certificate_authority: str | None = None) -> S3Transport:
    """Return the transport to `url`, which trusts the machine's roots (or the session's) and the PEM certificates."""
    from oidc_publisher.stores.s3.transport import S3Transport, tls_context  # noqa: PLC0415 - imports botocore

    # AWS_CA_BUNDLE replaces the machine's roots, as for every AWS tool.
    context = tls_context(session.core.get_config_variable("ca_bundle"), certificate_authority)
    return S3Transport(context, url, (CONNECT_TIMEOUT_S, READ_TIMEOUT_S), _MAX_CONNECTIONS)


def _timeouts() -> Config:
    from botocore.config import Config  # noqa: PLC0415

    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 2},
        user_agent_extra=f"oidc-publisher/{__version__}",
    )


def _config(more: dict[str, Any]) -> Config:
    from botocore.config import Config  # noqa: PLC0415

    settings: dict[str, Any] = {
        # Otherwise PUT is sent as aws-chunked, and servers other than Amazon's pass that encoding on to readers.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "max_pool_connections": _MAX_CONNECTIONS,
        # The object alone names the location: an AWS_ENDPOINT_URL of the process does not change it.
        "ignore_configured_endpoint_urls": True,
    }
    return _timeouts().merge(Config(**settings, **more))
