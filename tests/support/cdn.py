"""Run a CDN in front of S3: two edges of nginx with caches of their own, and CloudFront's API to purge them.

The edges take turns, so that two requests reach both, and each edge keeps its copies for as long as Cache-Control
states, so that staleness is real. Viewers request paths without the bucket, which the distribution's origin path adds.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hack.testbed import nginx
from tests.support.binaries import NotBuiltError
from tests.support.cloudfrontapi import CloudFrontAPI
from tests.support.loopback import host_port, localhost_addresses
from tests.support.pki import PKI
from tests.support.processes import Process, accepts_connections, free_port, https_origin, localhost_accepts
from tests.support.stage import BUCKET, PREFIX, Stage

DISTRIBUTION = "E1STANDIN"
#: The first edge is purged at once, the last one when the invalidation is completed.
DELAYS_S = (1.0, 4.0)
#: CloudFront keeps refusals for 10 s unless told otherwise (Developer Guide, HTTPStatusCodes).
ERRORS_KEPT = "1s"
_CONFIGURATION = """\
daemon off; master_process off; pid {folder}/pid; error_log stderr warn;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp; fastcgi_temp_path {folder}/temp;
  uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
  proxy_ssl_trusted_certificate {ca}; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_server_name on;
  upstream edges {{ {servers} }}
  server {{
    {listen} ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ proxy_pass http://edges; }}
  }}
  {edges}
}}
"""
_EDGE = """\
proxy_cache_path {cache} levels=1 keys_zone=edge{number}:1m inactive=1h use_temp_path=off;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {upstream}/; proxy_set_header Host {host};
      proxy_cache edge{number}; proxy_cache_key $uri; proxy_cache_valid 403 404 {errors}; proxy_cache_lock on;
      add_header X-Cache $upstream_cache_status;
    }}
  }}
"""


@dataclass(frozen=True, slots=True)
class EdgeAnswer:
    """What one edge answered; `cache` is HIT, MISS or EXPIRED."""

    status: int
    body: bytes
    cache: str


class CDN:
    """nginx before `upstream`, whose paths all begin with `origin_path`; `port` is where the public comes in."""

    def __init__(self, folder: Path, pki: PKI, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder = folder
        self._pki = pki
        self._edges = tuple(free_port() for _ in DELAYS_S)
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The public origin."""
        return https_origin(self.port)

    def start(self, upstream: str, origin_path: str) -> None:
        """Start with empty caches before an HTTPS server on localhost."""
        program = nginx.find()
        if program is None:
            raise NotBuiltError("nginx is missing: run `python3 hack/testbed/nginx.py` first")
        (self.folder / "temp").mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "nginx.conf"
        configuration.write_text(self._configuration(upstream, origin_path))
        argv: list[str | Path] = [program, "-e", "stderr", "-p", self.folder, "-c", configuration]
        self._process = Process("nginx", argv, self.folder / "log")
        self._process.start()
        self._process.wait_until(
            lambda: all(accepts_connections("127.0.0.1", p) for p in self._edges) and localhost_accepts(self.port)
        )

    def stop(self) -> None:
        """Kill nginx and drop all copies."""
        if self._process is not None:
            self._process.kill()

    def purge(self, edge: int, paths: tuple[str, ...]) -> None:
        """Drop copies at one edge: nginx takes a file that is gone as a miss."""
        for path in paths:
            name = hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
            (self._cache(edge) / name[-1] / name).unlink(missing_ok=True)

    def ask(self, edge: int, path: str) -> EdgeAnswer:
        """Ask one edge, which keeps a copy of a path that it did not have."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._edges[edge], timeout=5)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return EdgeAnswer(answer.status, answer.read(), answer.headers.get("X-Cache", ""))

    def warm(self, *paths: str) -> None:
        """Let every edge take new copies now, so that the next change is hidden for the whole max-age."""
        for edge in range(len(self._edges)):
            self.purge(edge, paths)
            for path in paths:
                self.ask(edge, path)

    def _cache(self, edge: int) -> Path:
        return self.folder / f"edge{edge}"

    def _configuration(self, upstream: str, origin_path: str) -> str:
        host = upstream.removeprefix("https://")
        certificate = self._pki.serving()
        address = host.replace("localhost", "127.0.0.1")
        edges = [
            _EDGE.format(
                number=number,
                port=port,
                cache=self._cache(number),
                upstream=f"https://{address}{origin_path}",
                host=host,
                errors=ERRORS_KEPT,
            )
            for number, port in enumerate(self._edges)
        ]
        return _CONFIGURATION.format(
            folder=self.folder,
            ca=self._pki.ca_file,
            listen=" ".join(f"listen {host_port(address, self.port)} ssl;" for address in localhost_addresses()),
            chain=certificate.chain_file,
            key=certificate.key_file,
            servers=" ".join(f"server 127.0.0.1:{port};" for port in self._edges),
            edges="\n  ".join(edges),
        )


class CDNStage(Stage):
    """A stage whose public face is a CDN: the issuer's host is the distribution, its path is below the bucket."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.cdn = CDN(folder / "cdn", self.pki)
        self.cloudfront = CloudFrontAPI(
            DISTRIBUTION, "localhost", f"/{BUCKET}", purge=self.cdn.purge, delays_s=DELAYS_S
        )

    def __enter__(self) -> Self:
        """Start everything but the operator."""
        super().__enter__()
        self.cdn.start(self.s3.endpoint_url, f"/{BUCKET}")
        self.cloudfront.start()
        self.operator = self.make_operator()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything that was started."""
        super().__exit__(kind, value, trace)
        self.cdn.stop()
        with contextlib.suppress(AttributeError):
            self.cloudfront.stop()

    @property
    def issuer_url(self) -> str:
        """The public URL of the issuer: the distribution's."""
        return f"{self.cdn.url}/{PREFIX}"

    @property
    def operator_environment(self) -> dict[str, str]:
        """The credentials of the store, which CloudFront takes too, and where CloudFront is."""
        return super().operator_environment | {"AWS_ENDPOINT_URL_CLOUDFRONT": self.cloudfront.url}

    @property
    def viewer_paths(self) -> tuple[str, ...]:
        """What viewers ask for: discovery document and key set."""
        return (f"/{PREFIX}/.well-known/openid-configuration", f"/{PREFIX}/openid/v1/jwks")

    def s3_spec(self, **changes: Any) -> dict[str, Any]:
        """spec.store.s3 of this stage, with the distribution before it."""
        return super().s3_spec(cloudFront={"distributionID": DISTRIBUTION}, **changes)
