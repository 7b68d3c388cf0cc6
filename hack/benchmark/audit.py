"""What the operator asked of the API servers, from their own audit logs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

OPERATOR = "oidc-publisher"  # its User-Agent, in every request
_LONG_AGO = 0.0

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: ["system:apiserver"]
  - level: Metadata
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the operator; times are seconds since the epoch, by the clock that all processes here share."""

    server: int
    verb: str
    path: str
    subject: str  # resource/subresource, or the path where there is none
    name: str
    status: int
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Pass:
    """One reconcile: from the read of its object to the last answer before the next one."""

    requests: tuple[Request, ...]

    @property
    def began(self) -> float:
        """When its object was asked for."""
        return self.requests[0].began

    @property
    def ended(self) -> float:
        """When its last request was answered."""
        return max(request.ended for request in self.requests)


class AuditLogs:
    """The logs of all API servers; each call reads on from where the last one stopped."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._read = [0] * len(files)
        self._requests: list[Request] = []

    @property
    def flags(self) -> tuple[tuple[str, ...], ...]:
        """The flags of each API server; writes the policy."""
        policy = self._files[0].with_name("audit-policy.yaml")
        policy.write_text(POLICY)
        return tuple((f"--audit-policy-file={policy}", f"--audit-log-path={file}") for file in self._files)

    def requests(self, *, since: float = _LONG_AGO, until: float = float("inf")) -> list[Request]:
        """The operator's requests that began in this time, in order, without watches."""
        for server in range(len(self._files)):
            self._requests.extend(self._new(server))
        self._requests.sort(key=lambda request: request.began)
        return [request for request in self._requests if since <= request.began <= until]

    def passes(self, name: str, *, since: float = _LONG_AGO, until: float = float("inf")) -> list[Pass]:
        """The reconciles of one issuer, while it is the only one."""
        found: list[list[Request]] = []
        for request in self.requests(since=since, until=until):
            if is_read_of(request, name):
                found.append([request])
            elif found and (request.verb, request.subject) != ("list", "oidcissuers"):  # kopf's
                found[-1].append(request)
        return [Pass(tuple(requests)) for requests in found]

    def wait(self, holds: Callable[[Request], bool], *, since: float, timeout_s: float = 30.0) -> Request:
        """The first request since then of which something holds."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            for request in self.requests(since=since):
                if holds(request):
                    return request
            time.sleep(0.02)
        raise TimeoutError(f"the operator did not ask for it within {timeout_s:g} s")

    def settled(self, *, quiet_s: float, timeout_s: float = 60.0) -> None:
        """Wait until the operator has asked for nothing for a while."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if not self.requests(since=time.time() - quiet_s):
                return
            time.sleep(0.05)
        raise TimeoutError(f"the operator was never quiet for {quiet_s:g} s")

    def _new(self, server: int) -> Iterator[Request]:
        file = self._files[server]
        if not file.exists():
            return
        with file.open("rb") as log:
            log.seek(self._read[server])
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._read[server] += len(line)
                request = _request(server, line)
                if request is not None:
                    yield request


def is_read_of(request: Request, name: str) -> bool:
    """Whether it reads the issuer of that name: what every reconcile begins with."""
    return (request.verb, request.subject, request.name) == ("get", "oidcissuers", name)


def is_list(request: Request) -> bool:
    """Whether it lists all issuers to watch them: kopf, which begins."""
    return request.verb == "list" and request.subject == "oidcissuers" and request.status == HTTPStatus.OK


def counted(requests: Iterable[Request]) -> Counter[str]:
    """How often which request was made, by verb and resource."""
    return Counter(f"{request.verb} {request.subject}" for request in requests)


def _request(server: int, line: bytes) -> Request | None:
    event: dict[str, Any] = json.loads(line)
    if event.get("userAgent") != OPERATOR or event["verb"] == "watch" or event["stage"] != "ResponseComplete":
        return None
    reference = event.get("objectRef") or {}
    resource = "/".join(part for part in (reference.get("resource"), reference.get("subresource")) if part)
    path = str(event["requestURI"]).partition("?")[0]
    return Request(
        server,
        event["verb"],
        path,
        resource or path,
        reference.get("name", ""),
        (event.get("responseStatus") or {}).get("code", 0),
        _epoch(event["requestReceivedTimestamp"]),
        _epoch(event["stageTimestamp"]),
    )


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
