"""Define the errors of oidc-publisher, each with a reason, a message and a hint.

::

    PublisherError                 reason, retryable, hint; str() is the sentence for people
    ├── KeyRefusedError            a public key that must not be published (keys/)
    ├── DocumentInvalidError       bytes that are no discovery document or JWKS (documents/)
    ├── InvalidObjectError         an OIDCIssuer that cannot be understood (api/)
    ├── ClusterError               a request to the API server failed (cluster/)
    │   ├── CredentialsError       kubeconfig or in-cluster credentials that cannot be used
    │   ├── UnreachableError       no answer at all
    │   │   └── ConnectionLostError    the connection ended before the answer
    │   ├── CertificateError       a server whose certificate is not an API server's
    │   │   └── NameMismatchError      a certificate of the right CA, for another name
    │   └── AnswerError            an HTTP status that is not a success
    │       ├── ObjectMissingError     404 for an object
    │       └── ConflictError          409: another writer changed the object in between
    ├── StoreError                 a call to the store failed (stores/)
    │   ├── PreconditionError      a lost race: another writer wrote in between
    │   ├── AnswerLostError        a request without an answer, which may have taken effect
    │   ├── SpoiltWriteError       bytes that are not those of Content-MD5, as a rehearsal sends them
    │   └── RefusedCredentialsError    no credentials, or credentials that the store refuses
    └── FetchError                 the issuer could not be fetched as a relying party fetches it (probe/)

Foreign exceptions are translated once, in the package that calls their library. No other package handles an error of
botocore or aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.harmless import harmless

if TYPE_CHECKING:
    from oidc_publisher.findings import Finding, Reason


class PublisherError(Exception):
    """A PublisherError describes a failure by a reason of the catalogue.

    `hint` is what an admin does next. `retryable`: the same call may succeed later without a change by an admin.
    Message and hint are made harmless, because they may hold foreign text.
    """

    def __init__(
        self, reason: Reason, message: str, *, hint: str = "", retryable: bool = False, subject: str = ""
    ) -> None:
        self.reason = reason
        self.message = harmless(message)
        self.hint = harmless(hint)
        super().__init__(self.message)
        self.retryable = retryable
        self.subject = subject

    @property
    def sentence(self) -> str:
        """The error for a person at a terminal: the message, and the hint where there is one."""
        said = f"{self.message.rstrip('. ')}."
        return f"{said} {self.hint}" if self.hint else said

    def finding(self, *, subject: str = "") -> Finding:
        """Return this error as a finding about `subject`."""
        from oidc_publisher.findings import Finding  # noqa: PLC0415 - errors imports findings, never the reverse

        return Finding.of(self.reason, self.message, hint=self.hint, subject=subject or self.subject)


class KeyRefusedError(PublisherError):
    """The key must not be published, or the bytes are no key."""


class DocumentInvalidError(PublisherError):
    """No relying party accepts the bytes as a discovery document or key set."""


class InvalidObjectError(PublisherError):
    """The content of the OIDCIssuer cannot be understood, or this version does not support it."""


class ClusterError(PublisherError):
    """A request to the API server failed."""


class UnreachableError(ClusterError):
    """No answer came from the API server's address."""


class CertificateError(ClusterError):
    """The certificate of the server is not an API server's."""


class AnswerError(ClusterError):
    """The API server answered with a status that is not a success; `status` is the HTTP status code."""

    def __init__(
        self, reason: Reason, message: str, *, status: int, hint: str = "", retryable: bool = False, subject: str = ""
    ) -> None:
        super().__init__(reason, message, hint=hint, retryable=retryable, subject=subject)
        self.status = status


class StoreError(PublisherError):
    """A call to the store failed."""


class PreconditionError(StoreError):
    """A compare-and-swap failed, because the object is not the one that the writer had read."""


class FetchError(PublisherError):
    """The issuer could not be fetched as a relying party fetches it."""
