"""What an API server answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from oidc_publisher.cluster.failures import unexpected_body


@dataclass(frozen=True, slots=True)
class Answer:
    """A success (2xx) of an API server.

    `asked` is the HOST:PORT that answered, `request` the method and path. `date_offset` is its Date minus our time on
    receipt (R13), None when it stated none. Header names are in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked: str
    request: str
    date_offset: timedelta | None = None

    def object(self) -> dict[str, Any]:
        """The body as a Kubernetes object.

        Raises:
            AnswerError: it is no JSON object, or a `Status` in place of one; then nothing was read.
        """
        try:
            parsed = json.loads(self.body)
        except ValueError:
            raise self._unexpected("something that is not JSON") from None
        if not isinstance(parsed, dict):
            raise self._unexpected("JSON that is no object")
        if parsed.get("kind") == "Status":
            raise self._unexpected("a Status in place of the object")
        return parsed

    def items(self) -> list[dict[str, Any]]:
        """The items of the body, which is a Kubernetes list.

        Raises:
            AnswerError: it has no items. API servers that are being restarted answer so: not read, never "empty".
        """
        items = self.object().get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._unexpected("a list without items")
        return items

    def _unexpected(self, what: str) -> Exception:
        return unexpected_body(self.status, what, request=self.request, asked=self.asked)
