"""Run a server with Cloud Storage's JSON API (fake-gcs-server) over TLS, as the store and the public endpoint.

It keeps everything in memory, has no IAM (every object is public) and no metageneration: an edit of an
object's metadata leaves its version as it is.
"""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING, Any, Final

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from tests.support import binaries
from tests.support.loopback import localhost_addresses
from tests.support.processes import Process, free_port, https_origin, localhost_accepts
from tests.support.startable import Startable

if TYPE_CHECKING:
    from pathlib import Path

    from google.cloud.storage import Blob

    from tests.support.pki import PKI

#: What the log says of a request: ... "POST /upload/storage/v1/b/BUCKET/o?uploadType=multipart HTTP/1.1\" 200 381 ...
_LOG_LINE = re.compile(r'\\"(?P<method>[A-Z]+) (?P<path>[^ ?]+)(?:\?(?P<query>\S*))? HTTP/[0-9.]+\\" (?P<status>\d+)')
_OF_BUCKET = re.compile(r"/storage/v1/b/(?P<bucket>[^/]+)(?P<objects>/o)?(?:/|$)")
_WRITES: Final = ("insert", "patch", "delete")


class GCSServer(Startable):
    """fake-gcs-server on a loopback port; its clients find it by `environment`."""

    def __init__(self, folder: Path, pki: PKI, *, port: int | None = None) -> None:
        self.pki = pki
        self.port = port or free_port()
        self._log_offset = 0
        certificate = pki.serving()
        argv: list[str | Path] = [
            binaries.find("fake-gcs-server"),
            "-scheme=https",
            f"-host={_listening_host()}",
            f"-port={self.port}",
            "-backend=memory",
            "-public-host=localhost",  # without a port: an edge before it has another one
            f"-external-url={self.endpoint_url}",
            f"-cert-location={certificate.chain_file}",
            f"-private-key-location={certificate.key_file}",
        ]
        self.process = Process("fake-gcs-server", argv, folder / "log")
        self._client: Client | None = None

    @property
    def endpoint_url(self) -> str:
        """The origin of the API and of the public objects."""
        return https_origin(self.port)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables by which Google's libraries find this server and trust it."""
        return {"STORAGE_EMULATOR_HOST": self.endpoint_url, "REQUESTS_CA_BUNDLE": str(self.pki.ca_file)}

    def public_url(self, bucket: str, prefix: str = "") -> str:
        """Return the URL under which everybody finds a bucket's objects."""
        return "/".join([self.endpoint_url, bucket, *([prefix] if prefix else [])])

    def start(self) -> None:
        """Start the server, empty, and wait until it listens."""
        self.process.start()
        self.process.wait_until(lambda: localhost_accepts(self.port))

    def stop(self) -> None:
        """Kill the server."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self.process.kill()

    @property
    def client(self) -> Client:
        """A client of somebody else than the operator."""
        if self._client is None:
            session = requests.Session()
            session.verify = str(self.pki.ca_file)
            session.trust_env = False
            options = {"api_endpoint": self.endpoint_url}
            anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
            self._client = Client(project="test", credentials=anonymous, client_options=options, _http=session)
        return self._client

    def create_bucket(self, name: str) -> str:
        """Create a bucket and return its name."""
        self.client.create_bucket(name)
        return name

    def put(self, bucket: str, key: str, body: bytes, *, content_type: str, **properties: Any) -> None:
        """Write an object as somebody else would, with any further properties of a Blob."""
        blob = self.client.bucket(bucket).blob(key)
        for name, value in properties.items():
            setattr(blob, name, value)
        blob.upload_from_string(body, content_type=content_type)

    def edit(self, bucket: str, key: str, **properties: Any) -> None:
        """Change an object's metadata and leave its bytes."""
        blob = self.client.bucket(bucket).blob(key)
        for name, value in properties.items():
            setattr(blob, name, value)
        blob.patch()

    def get_object(self, bucket: str, key: str) -> Blob | None:
        """Return what is known of an object, None where there is none."""
        return self.client.bucket(bucket).get_blob(key)

    def get(self, bucket: str, key: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""
        blob = self.get_object(bucket, key)
        body: bytes | None = None if blob is None else self.client.bucket(bucket).blob(key).download_as_bytes()
        return body

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object."""
        self.client.bucket(bucket).blob(key).delete()

    def keys(self, bucket: str) -> list[str]:
        """Return the names of all objects of a bucket, sorted."""
        return sorted(blob.name for blob in self.client.list_blobs(bucket))

    def forget_requests(self) -> None:
        """Begin to count anew."""
        self._log_offset = len(self.process.log())

    def requests(self, bucket: str) -> collections.Counter[str]:
        """Count requests to the API since `forget_requests`: `get`, `media`, `insert`, `patch`, `delete` of objects.

        Those about the bucket itself are `bucket`.
        """
        counted: collections.Counter[str] = collections.Counter()
        for text in self.process.log()[self._log_offset :].splitlines():
            line = _LOG_LINE.search(text)
            place = _OF_BUCKET.search(line["path"]) if line else None
            if line and place and place["bucket"] == bucket:
                counted[_method(line, of_object=bool(place["objects"]))] += 1
        return counted

    def writes(self, bucket: str) -> int:
        """Count attempts to write or delete objects since the last `forget_requests`, refused ones too."""
        counted = self.requests(bucket)
        return sum(counted[method] for method in _WRITES)


def _listening_host() -> str:
    """The one host that it can be told: where localhost has several addresses, no name, which is every address."""
    addresses = localhost_addresses()
    return addresses[0] if len(addresses) == 1 else ""


def _method(line: re.Match[str], *, of_object: bool) -> str:
    if not of_object:
        return "bucket"
    if line["method"] == "GET":
        return "media" if "alt=media" in (line["query"] or "") else "get"
    return {"POST": "insert", "PATCH": "patch", "DELETE": "delete"}.get(line["method"], line["method"])
