"""Read and watch single ConfigMaps and Secrets, so that RBAC with resourceNames suffices."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass
from typing import Any, Literal

from oidc_publisher.cluster.access import Right, grant
from oidc_publisher.cluster.answer import Answer
from oidc_publisher.cluster.failures import ObjectMissingError, where_forbidden, with_reason
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.findings import Reason

#: The API server ends a watch after this time; the next watch continues where it ended.
_WATCH_S = 300
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#: Values of the Helm chart that list what may be read.
_VALUES = {"ConfigMap": "rbac.configMaps", "Secret": "rbac.secrets"}
_CHANGES = ("ADDED", "MODIFIED", "DELETED")


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An ObjectReference names one ConfigMap or Secret."""

    kind: Literal["ConfigMap", "Secret"]
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def collection(self) -> str:
        """The path of the collection that holds the object."""
        return f"/api/v1/namespaces/{self.namespace}/{self._plural}"

    @property
    def watching(self) -> Right:
        """The right to watch the object."""
        return Right("watch", self._plural, group="", namespace=self.namespace, name=self.name)

    @property
    def grant(self) -> str:
        """What an admin has to allow, so that the operator can read and watch the object."""
        return grant(
            f"get and watch {self._plural} with resourceNames [{self.name}] in namespace {self.namespace}",
            f"{{namespace: {self.namespace}, name: {self.name}}} in {_VALUES[self.kind]}",
        )

    @property
    def _plural(self) -> str:
        return f"{self.kind.lower()}s"


async def get_object(client: ClusterAPI, reference: ObjectReference, *, timeout_s: float = 5.0) -> Answer:
    """Return the answer that holds the object.

    Raises:
        AnswerError: SourceNotFound, SourceForbidden.
        ClusterError: the object could not be read.
    """
    try:
        with _named(reference, "read"):
            return await client.request("GET", f"{reference.collection}/{reference.name}", timeout_s=timeout_s)
    except ObjectMissingError as error:
        raise with_reason(
            error,
            Reason.SourceNotFound,
            f"{reference} does not exist",
            hint="Create it, or correct spec.keySources; its keys stay published meanwhile.",
        ) from error


async def watch_object(client: ClusterAPI, reference: ObjectReference) -> AsyncGenerator[str, None]:
    """Yield the resourceVersion of each change of the object until the API server ends the watch.

    Except for a deletion, no change between two watches is missed, because each watch yields the present object first.
    Only metadata is requested: a Secret's content is read by its source alone.

    Raises:
        AnswerError: SourceForbidden.
        ClusterError: the watch was refused or broke.
    """
    params = {"fieldSelector": f"metadata.name={reference.name}", "watch": "true", "timeoutSeconds": str(_WATCH_S)}
    stream = client.stream(reference.collection, params=params, accept=_METADATA, timeout_s=_WATCH_S + 30)
    async with aclosing(stream) as events:
        with _named(reference, "watch"):
            async for event in events:
                if event.get("type") == "ERROR":  # 410 and similar: the next watch starts from the present object
                    return
                version = _version(event)
                if version is not None:
                    yield version


def _version(event: Mapping[str, Any]) -> str | None:
    """Return the resourceVersion of a change, None for a line that is no change or of an unknown kind."""
    try:
        version = event["object"]["metadata"]["resourceVersion"]
    except (KeyError, TypeError):
        return None
    return version if event.get("type") in _CHANGES and isinstance(version, str) else None


def _named(reference: ObjectReference, verb: str) -> AbstractContextManager[None]:
    """Name the right that a refusal is about."""
    message = f"The operator may not {verb} {reference}"
    return where_forbidden(Reason.SourceForbidden, message, hint=reference.grant)
