"""Read and replace the ring in the Secret, by compare-and-swap (S1)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from oidc_publisher.findings import Reason
from oidc_publisher.signer.keeper import LostRaceError
from oidc_publisher.signer.kube.kubeapi import KubeApi, KubeRequestError
from oidc_publisher.signer.ring import Ring
from oidc_publisher.signer.storage import Wrapping, from_secret, to_secret
from oidc_publisher.signer.storage.ringerror import unreadable

NAMESPACE, NAME = "kube-system", "oidc-publisher-signing-keys"
_COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/secrets"
_PATH = f"{_COLLECTION}/{NAME}"
#: The version of a Secret that is not there.
_ABSENT = ""


class SecretRing:
    """The SecretRing reads the Secret in whole at each look, and unwraps it only when it has changed."""

    def __init__(self, api: KubeApi, wrapping: Wrapping) -> None:
        self._api = api
        self._wrapping = wrapping
        self._object: Mapping[str, Any] = {}
        self._known: tuple[str, Ring | None] | None = None

    def read(self) -> tuple[Ring | None, str]:
        """Return the ring and the resourceVersion of the Secret that holds it.

        Raises KubeRequestError, and RingUnreadableError for a Secret that is not what signers write.
        """
        try:
            self._object = self._api.get(_PATH).document
        except KubeRequestError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None, _ABSENT
            raise
        version = str(self._object["metadata"]["resourceVersion"])
        if self._known is None or self._known[0] != version:
            self._known = version, from_secret(_data(self._object), self._wrapping)
        return self._known[1], version

    def under(self, wrapping: Wrapping) -> SecretRing:
        """Return the same Secret as it was read, whose next content is wrapped under another key."""
        other = SecretRing(self._api, wrapping)
        other._object = self._object
        return other

    def replace(self, ring: Ring, version: str) -> None:
        """Replace the Secret's data as a whole, if it still has this resourceVersion.

        A Secret that is gone is made anew, where the signer may do that: RBAC cannot allow it for one name alone.
        """
        data = {name: base64.b64encode(value).decode() for name, value in to_secret(ring, self._wrapping).items()}
        try:
            if version == _ABSENT:
                self._api.send("POST", _COLLECTION, _new(data))
            else:
                metadata = {**self._object["metadata"], "resourceVersion": version}
                self._api.send("PUT", _PATH, {**self._object, "metadata": metadata, "data": data})
        except KubeRequestError as error:
            raise _translated(error, version) from None


def _translated(error: KubeRequestError, version: str) -> Exception:
    if error.status in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
        return LostRaceError(Reason.RingUnreadable, "The Secret was written by another signer", retryable=True)
    if version == _ABSENT and error.status == HTTPStatus.FORBIDDEN:
        return unreadable(f"The Secret {NAMESPACE}/{NAME} is gone; make an empty one, and this signer fills it")
    return error


def _new(data: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": NAME}, "data": data}


def _data(document: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in (document.get("data") or {}).items()}
