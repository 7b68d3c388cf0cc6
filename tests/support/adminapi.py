"""Send requests to the Kubernetes API as the cluster's admin, to prepare tests and to read results."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

Object = dict[str, Any]
PatchType = Literal["merge", "json", "strategic"]
_PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class ApiError(Exception):
    """The API server answered 400 or above."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        super().__init__(f"{method} {path}: {status}: {text}")
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Answer:
    """What an API server answered, whatever the status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as parsed JSON."""
        return json.loads(self.body)


class AdminApi(ABC):
    """Requests with the admin's token to the first API server that answers, or to a chosen one."""

    admin_token: str

    def __init__(self) -> None:
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        index: int | None = None,
        content_type: str = "application/json",
        token: str | None = None,
        timeout_s: float = 10.0,
    ) -> Answer:
        """Send one request and return the answer, whatever its status; `token=""` asks anonymously.

        Raises:
            OSError: no API server could be reached.
        """
        headers = {"Content-Type": content_type, "Accept": "application/json, */*;q=0.8"}
        bearer = self.admin_token if token is None else token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        payload = None if body is None else json.dumps(body).encode()
        problem: OSError = ConnectionRefusedError("no API server is running")
        for host, port in self._origins(index):
            connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._tls())
            try:
                connection.request(method, path, payload, headers)
                response = connection.getresponse()
                return Answer(response.status, dict(response.headers), response.read())
            except http.client.HTTPException as error:
                problem = ConnectionError(f"{method} {path}: {error!r}")
            except OSError as error:
                problem = error
            finally:
                connection.close()
        raise problem

    def json(self, method: str, path: str, body: object = None, *, index: int | None = None, **options: Any) -> Any:
        """Send one request and return the parsed answer.

        Raises:
            ApiError: the status was 400 or above.
            OSError: no API server could be reached.
        """
        answer = self.request(method, path, body, index=index, **options)
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise ApiError(method, path, answer.status, _message(answer))
        return answer.json()

    def apply(self, source: Path | str | Object | Iterable[Object], *, manager: str = "testbed") -> list[Object]:
        """Apply objects server-side: a file, YAML text, one object or several. Returns them as stored."""
        applied = []
        for item in _objects(source):
            path = self.path_of(item["apiVersion"], item["kind"], item["metadata"]["name"], _namespace(item))
            query = f"?fieldManager={manager}&force=true"
            applied.append(self.json("PATCH", path + query, item, content_type="application/apply-patch+yaml"))
        return applied

    def create(self, item: Object) -> Object:
        """Create one object by POST, for what must be refused with the server's own message."""
        path = self.path_of(item["apiVersion"], item["kind"], None, _namespace(item))
        created: Object = self.json("POST", path, item)
        return created

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object:
        """Return one object."""
        found: Object = self.json("GET", self.path_of(api_version, kind, name, namespace))
        return found

    def exists(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> bool:
        """Return whether an object exists."""
        answer = self.request("GET", self.path_of(api_version, kind, name, namespace))
        return answer.status == http.HTTPStatus.OK

    def wait_established(self, crd: str, *, timeout_s: float = 10.0) -> None:
        """Wait until objects of a CustomResourceDefinition can be made.

        For a moment a new CRD has no conditions at all, and `kubectl wait --for=condition=...` fails then.
        """
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            found = self.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd)
            conditions = found.get("status", {}).get("conditions") or []
            if any((c["type"], c["status"]) == ("Established", "True") for c in conditions):
                return
            time.sleep(0.05)
        raise AssertionError(f"{crd} is not established within {timeout_s:g} s")

    def list_all(self, api_version: str, kind: str, namespace: str | None = None) -> list[Object]:
        """Return all objects of a kind."""
        items: list[Object] = self.json("GET", self.path_of(api_version, kind, None, namespace))["items"]
        return items

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        body: object,
        namespace: str | None = None,
        *,
        how: PatchType = "merge",
        subresource: str = "",
    ) -> Object:
        """Patch one object, or its `subresource`, such as "status"."""
        path = self.path_of(api_version, kind, name, namespace) + (f"/{subresource}" if subresource else "")
        patched: Object = self.json("PATCH", path, body, content_type=_PATCH_TYPES[how])
        return patched

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete one object; a missing object is no error.

        Nothing but the API server runs: a namespace stays Terminating, dependents are not collected.
        """
        path = self.path_of(api_version, kind, name, namespace)
        answer = self.request("DELETE", path)
        if answer.status >= http.HTTPStatus.BAD_REQUEST and answer.status != http.HTTPStatus.NOT_FOUND:
            raise ApiError("DELETE", path, answer.status, _message(answer))

    def create_namespace(self, name: str) -> None:
        """Create a namespace unless it exists."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def create_service_account(self, namespace: str, name: str) -> None:
        """Create a ServiceAccount and its namespace unless they exist."""
        self.create_namespace(namespace)
        metadata = {"namespace": namespace, "name": name}
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})

    def mint_token(
        self, index: int | None, namespace: str, service_account: str, audience: str | None, seconds: int = 3600
    ) -> str:
        """Ask one API server (None: any) for a token of a ServiceAccount; audience None means the server's default."""
        spec: Object = {"expirationSeconds": seconds, **({"audiences": [audience]} if audience else {})}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        token: str = self.json("POST", path, body, index=index)["status"]["token"]
        return token

    def path_of(self, api_version: str, kind: str, name: str | None, namespace: str | None) -> str:
        """Return the path of an object, or of its collection; the plural comes from the server's discovery."""
        root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        plural, namespaced = self._plural(root, api_version, kind)
        parts = [root]
        if namespace and namespaced:
            parts += ["namespaces", namespace]
        parts += [plural, *([urllib.parse.quote(name)] if name else [])]
        return "/".join(parts)

    def _plural(self, root: str, api_version: str, kind: str) -> tuple[str, bool]:
        known = self._plurals.get((api_version, kind))
        if known is None:
            for resource in self.json("GET", root)["resources"]:
                if "/" not in resource["name"]:
                    self._plurals[api_version, resource["kind"]] = (resource["name"], resource["namespaced"])
            known = self._plurals.get((api_version, kind))
        if known is None:
            raise LookupError(f"the API server knows no {kind} in {api_version}")
        return known

    @abstractmethod
    def _origins(self, index: int | None) -> list[tuple[str, int]]: ...

    @abstractmethod
    def _tls(self) -> ssl.SSLContext: ...


def _message(answer: Answer) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.body.decode(errors="replace")[:500]


def _namespace(item: Object) -> str | None:
    namespace: str | None = item["metadata"].get("namespace")
    return namespace


def _objects(source: Path | str | Object | Iterable[Object]) -> list[Object]:
    if isinstance(source, dict):
        return [source]
    if isinstance(source, Path):
        source = source.read_text()
    if isinstance(source, str):
        return [item for item in yaml.safe_load_all(source) if item]
    return list(source)
