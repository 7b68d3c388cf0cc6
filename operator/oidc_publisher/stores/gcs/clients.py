"""Clients of Google Cloud Storage: one session with Google for the whole process, a small client for each store.

google-cloud-storage and google-auth are imported when the first client is built. They look for credentials as every
tool of Google does (Application Default Credentials: a file of Workload Identity Federation, GKE's metadata server);
with STORAGE_EMULATOR_HOST they talk to that server without any.
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

#: How old refused credentials must be before they are looked for again: a search may cost seconds.
_MIN_CREDENTIAL_AGE_S = 30.0
#: For traces that nobody asked for, version 3.17 reads the metadata of each bucket in a thread beside, unless this is
#: set: a right that the operator has no use for, and a thread with the library's own retries. Read at each call.
_NO_BUCKET_METADATA = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"


@dataclass(frozen=True, slots=True, eq=False)
class SharedSession:
    """The connections and credentials that all stores of this process use."""

    http: AuthorizedSession
    built_at: float = field(default_factory=time.monotonic)


class GCSClients:
    """The session of this process. Every method blocks: call it in a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: SharedSession | None = None

    def get(self) -> SharedSession:
        """The session, built when there is none; raises google-auth's errors about credentials."""
        with self._lock:
            if self._shared is None:
                self._shared = _new_session()
            return self._shared

    def forget_refused(self, refused: SharedSession) -> None:
        """Look for credentials anew at the next call: those that were found are never looked for again."""
        with self._lock:
            if self._shared is refused and time.monotonic() - refused.built_at >= _MIN_CREDENTIAL_AGE_S:
                self._shared = None


#: The clients that stores share unless they are given others.
SHARED_CLIENTS = GCSClients()


def client_of(shared: SharedSession, note_date: Callable[[datetime], None]) -> Client:
    """A client for one store: 30 µs and 2 kB, for connections and credentials are the session's."""
    from google.api_core.client_info import ClientInfo  # noqa: PLC0415 - clouds are imported only when used
    from google.cloud.storage import Client  # noqa: PLC0415

    from oidc_publisher.stores.gcs.session import GCSTransport  # noqa: PLC0415 - imports google-auth

    return Client(
        project=None,  # only calls that are never made here would need one
        credentials=shared.http.credentials,
        _http=GCSTransport(shared.http, note_date),
        client_info=ClientInfo(user_agent=f"oidc-publisher/{__version__}"),  # type: ignore[no-untyped-call]
    )


def _new_session() -> SharedSession:
    from oidc_publisher.stores.gcs.session import new_session  # noqa: PLC0415 - imports google-auth

    os.environ.setdefault(_NO_BUCKET_METADATA, "true")
    return SharedSession(new_session())
