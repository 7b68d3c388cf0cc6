"""End a signer that does not answer any more, so that its supervisor starts it anew.

An API server waits 34 s for a signer that hangs, and then refuses each TokenRequest with 504. A signer that ends makes it
wait for the next one instead. A thread of the signer calls it over its own socket, as the API server does: the event loop
that hangs cannot tell of itself.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from oidc_publisher.signer.server import CallError, SignerClient
from oidc_publisher.signer.server.protobuf import bytes_field

#: How often the signer is called, and how long one call may take.
PERIOD_S = 5.0
#: How long no call may succeed: below the 34 s of an API server, above what a busy node makes of a call.
PATIENCE_S = 20.0
#: The claims {}: nobody takes such a token, and none leaves this process.
_CLAIMS = bytes_field(1, "e30")
#: EX_SOFTWARE of sysexits.h.
_EXIT_CODE = 70
log = logging.getLogger(__name__)


def end_at_once() -> None:
    """End the process: what hangs cannot be asked to stop."""
    os._exit(_EXIT_CODE)


class Liveness:
    """The Liveness calls one signer until `ending` is set; `waits_for_ring` says whether a Sign would wait for the ring.

    Until the ring was read it calls Metadata. The first Sign begins the time after which the disk has to do, and the first
    FetchKeys is the one that does not wait for the ring, because an API server starts by it (S10).
    """

    def __init__(
        self,
        socket: Path,
        waits_for_ring: Callable[[], bool],
        ending: threading.Event,
        *,
        end: Callable[[], None] = end_at_once,
        period_s: float = PERIOD_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._socket = socket
        self._waits_for_ring = waits_for_ring
        self._ending = ending
        self._end = end
        self._period_s = period_s
        self._patience_s = patience_s

    def watch(self) -> None:
        """Call again and again over one connection, which is the way to this process also when its socket is renamed over."""
        answered = time.monotonic()
        with ExitStack() as connection:
            client: SignerClient | None = None
            while not self._ending.wait(self._period_s):
                try:
                    client = client or connection.enter_context(SignerClient.connected(self._socket, self._period_s))
                    self._call(client)
                    answered = time.monotonic()
                except CallError as error:
                    connection.close()
                    client = None
                    if self._given_up(error, time.monotonic() - answered):
                        return

    def _call(self, client: SignerClient) -> None:
        if self._waits_for_ring():
            client.call("Metadata")
        else:
            client.call("Sign", _CLAIMS)

    def _given_up(self, error: CallError, silent_s: float) -> bool:
        if self._ending.is_set() or silent_s < self._patience_s:
            return False
        log.critical("This signer ends, because it has not answered itself for %.0f s: %s", silent_s, error.sentence)
        self._end()
        return True
