"""Measure the phases of a fetch over a new connection."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass

from oidc_publisher.probe.wire.port import Phases


class TimedTLS(ssl.SSLObject):
    """A TimedTLS is a TLS connection that knows how long its handshake took; asyncio calls do_handshake until it is done."""

    began_s: float | None = None
    ended_s: float = 0.0

    def do_handshake(self) -> None:
        """Go on with the handshake, as far as the bytes that are there allow."""
        if self.began_s is None:
            self.began_s = time.monotonic()
        super().do_handshake()
        self.ended_s = time.monotonic()

    @property
    def handshake_s(self) -> float:
        """The seconds of the whole handshake, 0 before its end."""
        return max(0.0, self.ended_s - self.began_s) if self.began_s is not None else 0.0


@dataclass(slots=True)
class Connecting:
    """A Connecting notes the times (monotonic seconds) of one connection; `began_s` and `ended_s` are those of the whole set-up."""

    began_s: float = 0.0
    ended_s: float = 0.0
    resolve_s: float = 0.0

    def phases(self, tls: ssl.SSLObject | None, *, headers_at: float, ended_at: float) -> Phases | None:
        """Return the phases of the first fetch over the connection, and None from then on."""
        if not self.ended_s:
            return None
        handshake_s = tls.handshake_s if isinstance(tls, TimedTLS) else 0.0
        phases = Phases(
            resolve=self.resolve_s,
            connect=max(0.0, self.ended_s - self.began_s - self.resolve_s - handshake_s),
            tls=handshake_s,
            processing=max(0.0, headers_at - self.ended_s),
            transfer=max(0.0, ended_at - headers_at),
        )
        self.ended_s = 0.0
        return phases
