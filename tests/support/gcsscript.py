"""Serve Cloud Storage's JSON API with its real preconditions by a script, for Google's libraries.

From cloud.google.com/storage/docs/json_api/v1/objects and .../docs/metadata#generation-number: content is a generation,
an edit of metadata counts its metageneration, and both can be required on writes and deletions.
"""

from __future__ import annotations

import base64
import email
import hashlib
import itertools
import json
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.scripted import Answer, Request


def gcs_error(status: int, reason: str, message: str = "made by the test", **headers: str) -> Answer:
    """An error as the JSON API words it; names of headers are written with _."""
    cause = {"domain": "global", "reason": reason, "message": message}
    body = json.dumps({"error": {"code": status, "message": message, "errors": [cause]}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"Content-Type": "application/json"} | named, body)


@dataclass(slots=True)
class Kept:
    """One object."""

    body: bytes
    resource: dict[str, Any]
    generation: int
    metageneration: int = 1


@dataclass(slots=True)
class ObjectServer:
    """Keeps objects by name; `bucket` is the only one there is."""

    bucket: str = "bucket"
    objects: dict[str, Kept] = field(default_factory=dict)
    _generations: itertools.count[int] = field(default_factory=lambda: itertools.count(1_750_000_000_000_001))

    def __call__(self, request: Request) -> Answer:
        """Answer as Cloud Storage does."""
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        _, _, below = parts.path.partition("/storage/v1/b/")
        bucket, _, name = below.partition("/o")
        if bucket != self.bucket:
            return gcs_error(404, "notFound", "The specified bucket does not exist.")
        if request.method == "POST":
            return self._insert(request, query)
        return self._on_object(request.method, unquote(name.removeprefix("/")), query)

    def edit(self, name: str, **changes: Any) -> None:
        """Edit an object's metadata, as somebody does in the console."""
        self.objects[name].resource.update(changes)
        self.objects[name].metageneration += 1

    def _on_object(self, method: str, name: str, query: dict[str, str]) -> Answer:
        kept = self.objects.get(name)
        if kept is None or int(query.get("generation", kept.generation)) != kept.generation:
            return gcs_error(404, "notFound", f"No such object: {self.bucket}/{name}")
        if not self._holds(kept, query):
            return gcs_error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        if method == "DELETE":
            del self.objects[name]
            return Answer(204)
        if query.get("alt") == "media":
            digest = base64.b64encode(hashlib.md5(kept.body, usedforsecurity=False).digest()).decode()
            return Answer(200, {"X-Goog-Hash": f"md5={digest}", "Content-Type": "application/json"}, kept.body)
        return self._described(kept)

    def _insert(self, request: Request, query: dict[str, str]) -> Answer:
        kind = next(value for name, value in request.headers.items() if name.lower() == "content-type")
        message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + request.body)
        parts: Any = message.get_payload()
        about, content = parts
        resource = json.loads(about.get_payload())
        name = resource["name"]
        if not self._holds(self.objects.get(name), query):
            return gcs_error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        body: bytes = content.get_payload(decode=True)
        resource["contentType"] = content.get_content_type()
        self.objects[name] = Kept(body, resource, next(self._generations))
        return self._described(self.objects[name])

    @staticmethod
    def _holds(kept: Kept | None, query: dict[str, str]) -> bool:
        wanted = query.get("ifGenerationMatch"), query.get("ifMetagenerationMatch")
        found = (str(kept.generation), str(kept.metageneration)) if kept else ("0", "0")
        return all(want in (None, have) for want, have in zip(wanted, found, strict=True))

    @staticmethod
    def _described(kept: Kept) -> Answer:
        counted = {"generation": str(kept.generation), "metageneration": str(kept.metageneration)}
        times = {"timeCreated": "2026-01-02T03:04:05.678Z", "updated": "2026-01-02T03:04:06.789Z"}
        resource = {**kept.resource, **counted, **times, "size": str(len(kept.body))}
        date = {"Date": formatdate(usegmt=True), "Content-Type": "application/json"}
        return Answer(200, date, json.dumps(resource).encode())
