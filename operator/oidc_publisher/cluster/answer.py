"""Read the answer of an API server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oidc_publisher.cluster.failures import unexpected_body


def object_in(value: object, name: str) -> dict[str, Any]:
    """Return the object that is the member `name` of `value`, an empty one where it is absent, null or no object.

    JSON of the API server, of proxies and of other writers may hold null wherever a member may be absent.
    """
    member = value.get(name) if isinstance(value, Mapping) else None
    return member if isinstance(member, dict) else {}


def list_in(value: object, name: str) -> list[Any]:
    """Return the list that is the member `name` of `value`, an empty one where it is absent, null or no list."""
    member = value.get(name) if isinstance(value, Mapping) else None
    return member if isinstance(member, list) else []


@dataclass(frozen=True, slots=True)
class Answer:
    """An Answer holds a success (2xx) of an API server.

    `asked` is the HOST:PORT that answered, `request` the method and path.
    """

    status: int
    body: bytes
    asked: str
    request: str

    def object(self) -> dict[str, Any]:
        """Return the body as a Kubernetes object.

        Raises:
            AnswerError: the body is no JSON object, or a `Status` in place of one.
        """
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            raise self._unexpected("something that is not JSON") from None
        if not isinstance(parsed, dict):
            raise self._unexpected("JSON that is no object")
        if parsed.get("kind") == "Status":
            raise self._unexpected("a Status in place of the object")
        return parsed

    def stored_object(self, *needed: str) -> dict[str, Any]:
        """Return the body as an object whose metadata has these members, each a text that is not empty.

        Raises:
            AnswerError: the body is no such object.
        """
        found = self.object()
        metadata = object_in(found, "metadata")
        if not all(isinstance(metadata.get(name), str) and metadata[name] for name in needed):
            raise self._unexpected("an object without metadata")
        return found

    def items(self) -> list[dict[str, Any]]:
        """Return the items of the body, which is a Kubernetes list.

        Raises:
            AnswerError: the body has no items. API servers that are restarting answer so, which does not mean an empty
                list.
        """
        items = self.object().get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._unexpected("a list without items")
        return items

    def _unexpected(self, what: str) -> Exception:
        return unexpected_body(self.status, what, request=self.request, asked=self.asked)
