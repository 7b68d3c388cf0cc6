"""Build the clients of Google Cloud Storage: one session for the whole process, and a small client for each store.

google-cloud-storage and google-auth are imported when the first client is built. They search for credentials as every
tool of Google does (Application Default Credentials: a file of Workload Identity Federation, GKE's metadata server).
With STORAGE_EMULATOR_HOST they send requests to that server without credentials.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from oidc_publisher import __version__

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.storage import Client

#: The age that refused credentials must have before a new search, because a search may take seconds.
_MIN_CREDENTIAL_AGE_S = 30.0
#: Unless this variable is set, version 3.17 reads the metadata of each bucket in a further thread, for traces that are
#: off by default. That needs a permission that the operator does not need otherwise, and a thread with the library's
#: own retries. The library reads the variable at each call.
_NO_BUCKET_METADATA = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"


@dataclass(frozen=True, slots=True, eq=False)
class SharedSession:
    """A SharedSession holds the connections and credentials that all stores of this process use."""

    http: AuthorizedSession
    built_at: float = field(default_factory=time.monotonic)


class GCSClients:
    """GCSClients holds the session of this process. Its methods block: call them in a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: SharedSession | None = None

    def get(self) -> SharedSession:
        """Return the session, built when there is none; raises google-auth's errors about credentials."""
        with self._lock:
            if self._shared is None:
                self._shared = _new_session()
            return self._shared

    def forget_refused(self, refused: SharedSession) -> None:
        """Let the next call search for credentials again, because a session never repeats a search that found some."""
        with self._lock:
            if self._shared is refused and time.monotonic() - refused.built_at >= _MIN_CREDENTIAL_AGE_S:
                self._shared = None


#: The clients that stores share unless they are given others.
SHARED_CLIENTS = GCSClients()


def client_of(shared: SharedSession, note_date: Callable[[datetime], None]) -> Client:
    """Return a client for one store; it costs 30 µs and 2 kB, because it uses the session's connections."""
    from google.api_core.client_info import ClientInfo  # noqa: PLC0415 - clouds are imported only when used
    from google.cloud.storage import Client  # noqa: PLC0415

    from oidc_publisher.stores.gcs.session import GCSTransport  # noqa: PLC0415 - imports google-auth

    return Client(
        project=None,  # no call of this package needs one
        credentials=shared.http.credentials,
        _http=GCSTransport(shared.http, note_date),
        client_info=ClientInfo(user_agent=f"oidc-publisher/{__version__}"),  # type: ignore[no-untyped-call]
    )


def _new_session() -> SharedSession:
    from oidc_publisher.stores.gcs.session import new_session  # noqa: PLC0415 - imports google-auth

    os.environ.setdefault(_NO_BUCKET_METADATA, "true")
    return SharedSession(new_session())
