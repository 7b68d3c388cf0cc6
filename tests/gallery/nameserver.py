"""A name server on loopback for the names of the gallery, and a resolver that asks it as glibc asks."""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.startable import Startable

#: RFC 6761: nobody can own a name below it. Of `silent` and what is below it only what `records` hold is answered.
DOMAIN, SILENT = "gallery.test", "silent"
_A, _AAAA = 1, 28  # RFC 1035, 3.2.2; RFC 3596
_NOERROR, _SERVFAIL, _NXDOMAIN = 0, 2, 3
_QUERY_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Record:
    """What the name server says of a name: its addresses, or a response code (RFC 1035, 4.1.1)."""

    addresses: tuple[str, ...] = ()
    code: int = _NOERROR
    answered: bool = True


LOOPBACK = Record(("127.0.0.1",))
NO_SUCH_NAME = Record(code=_NXDOMAIN)
SERVERS_FAIL = Record(code=_SERVFAIL)
NO_ADDRESS = Record()
SILENCE = Record(answered=False)


class NameServer(Startable):
    """A name server at a UDP port of 127.0.0.1; `records` may change at any time. Other names do not exist."""

    def __init__(self, port: int = 0) -> None:
        self.records: dict[str, Record] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._answer_all, name="nameserver", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._socket.settimeout(0.2)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", ("127.0.0.1", self.port))  # else it would wait for the next query, or for its timeout
        self._thread.join(timeout=5)
        self._socket.close()

    def _answer_all(self) -> None:
        while not self._stopping.is_set():
            try:
                query, sender = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            if self._stopping.is_set():
                return
            name, kind, end = question(query)
            record = self.records.get(name, SILENCE if name.rpartition(".")[2] == SILENT else NO_SUCH_NAME)
            if record.answered:
                self._socket.sendto(response(query, end, kind, record), sender)


def question(query: bytes) -> tuple[str, int, int]:
    """Return the name and the type that a message asks for, and where its question ends."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode("ascii").lower())
        at += size + 1
    return ".".join(labels), struct.unpack_from("!H", query, at + 1)[0], at + 5


def response(query: bytes, end: int, kind: int, record: Record) -> bytes:
    """Return the message that answers a query; answers are kept for 0 s."""
    found = [address for address in record.addresses if _kind(address) == kind]
    # QR, RD and RA; counts of the sections.
    head = query[:2] + struct.pack("!HHHHH", 0x8180 | record.code, 1, len(found), 0, 0)
    packed = [ipaddress.ip_address(address).packed for address in found]
    answers = [struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(data)) + data for data in packed]
    return head + query[12:end] + b"".join(answers)


def _kind(address: str) -> int:
    return _AAAA if ":" in address else _A


Resolve = Callable[..., Sequence[tuple[Any, ...]]]


def resolving(port: int, otherwise: Resolve = socket.getaddrinfo) -> Resolve:
    """Return a getaddrinfo that asks the name server at `port` for names of the gallery and their top-level domains."""

    def getaddrinfo(host: Any, service: Any, *arguments: Any, **options: Any) -> Sequence[tuple[Any, ...]]:
        name = host.rstrip(".") if isinstance(host, str) else ""
        if name.rpartition(".")[2] not in (DOMAIN.rpartition(".")[2], SILENT):
            return otherwise(host, service, *arguments, **options)
        addresses = [address for kind in (_A, _AAAA) for address in _asked(name, kind, port)]
        if not addresses:
            raise socket.gaierror(-5, "No address associated with hostname")  # EAI_NODATA of glibc
        infos = [otherwise(address, service, *arguments, **options) for address in addresses]
        return [info for found in infos for info in found]

    return getaddrinfo


def _asked(name: str, kind: int, port: int) -> list[str]:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_QUERY_TIMEOUT_S)
        asking.sendto(query, ("127.0.0.1", port))
        try:
            answer = asking.recv(4096)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution") from None
    code, count = answer[3] & 15, struct.unpack_from("!H", answer, 6)[0]
    if code == _SERVFAIL:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    if code == _NXDOMAIN:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _addresses(answer[question(answer)[2] :], count, 16 if kind == _AAAA else 4)


def _addresses(answers: bytes, count: int, size: int) -> list[str]:
    each = 12 + size
    return [str(ipaddress.ip_address(answers[n * each + 12 : (n + 1) * each])) for n in range(count)]
