"""Parse addresses to listen on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """An Address is where a server listens; `host` None means every interface, port 0 any free port."""

    host: str | None
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ":8080", "127.0.0.1:8080", "localhost:8080" or "[::1]:8080".

        Raises:
            ValueError: the text has none of these forms; the message says what is expected.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not (port.isascii() and port.isdigit()) or int(port) > _MAX_PORT:
            raise ValueError("must be HOST:PORT or :PORT, such as :8080 or 127.0.0.1:8080")
        bracketed = host.startswith("[") and host.endswith("]")
        if ":" in host and not bracketed:
            raise ValueError("must have an IPv6 address in brackets, such as [::1]:8080")
        return cls((host[1:-1] if bracketed else host) or None, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host or ""
        return f"{host}:{self.port}"
