"""The errors of oidc-publisher: each carries its own diagnosis.

::

    PublisherError                 reason, retryable, hint; str() is the sentence for people
    ├── KeyRefusedError            a public key that must not be published (keys/)
    ├── DocumentInvalidError       bytes that are no discovery document or JWKS (documents/)
    ├── InvalidObjectError         an OIDCIssuer that cannot be understood (api/)
    ├── ClusterError               the API server did not do what was asked (cluster/)
    │   ├── CredentialsError       kubeconfig or in-cluster credentials that cannot be used
    │   ├── UnreachableError       no answer at all
    │   │   └── ConnectionLostError    the connection ended before the answer
    │   ├── CertificateError       an answer from somebody who is not the API server
    │   │   └── NameMismatchError      a certificate of the right CA, for another name
    │   └── AnswerError            an HTTP status that is not success
    │       ├── ObjectMissingError     404 for an object
    │       └── ConflictError          409: somebody changed the object in between
    ├── StoreError                 the store did not do what was asked (stores/)
    │   ├── PreconditionError      a lost race: somebody wrote in between
    │   ├── AnswerLostError        a write of which nobody knows whether it was done
    │   └── RefusedCredentialsError    credentials that the store does not know (any more)
    └── FetchError                 the issuer could not be read as a relying party reads it (probe/)

Foreign exceptions are translated where they enter, once; nothing above that place sees a botocore or aiohttp error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.harmless import harmless

if TYPE_CHECKING:
    from oidc_publisher.findings import Finding, Reason


class PublisherError(Exception):
    """What went wrong, in the catalogue's words.

    `reason` is a reason of the catalogue, `hint` what an admin does next, `retryable` whether the same call may
    succeed later without a person. Message and hint are harmless, whatever somebody outside has put into them.
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
        """The error for somebody at a terminal: what is wrong, and the hint where there is one."""
        said = f"{self.message.rstrip('. ')}."
        return f"{said} {self.hint}" if self.hint else said

    def finding(self, *, subject: str = "") -> Finding:
        """This error as a finding about `subject`."""
        from oidc_publisher.findings import Finding  # noqa: PLC0415 - findings knows no errors, errors know findings

        return Finding.of(self.reason, self.message, hint=self.hint, subject=subject or self.subject)


class KeyRefusedError(PublisherError):
    """A key that must not be published, or bytes that are no key."""


class DocumentInvalidError(PublisherError):
    """Bytes that are not what a relying party accepts as a discovery document or key set."""


class InvalidObjectError(PublisherError):
    """An OIDCIssuer whose content cannot be understood or is not supported by this version."""


class ClusterError(PublisherError):
    """The API server did not do what was asked."""


class UnreachableError(ClusterError):
    """Nobody answered at the API server's address."""


class CertificateError(ClusterError):
    """Somebody answered whose certificate is not the API server's."""


class AnswerError(ClusterError):
    """The API server answered with a status that is not success; `status` is the HTTP status code."""

    def __init__(
        self, reason: Reason, message: str, *, status: int, hint: str = "", retryable: bool = False, subject: str = ""
    ) -> None:
        super().__init__(reason, message, hint=hint, retryable=retryable, subject=subject)
        self.status = status


class StoreError(PublisherError):
    """The store did not do what was asked."""


class PreconditionError(StoreError):
    """A compare-and-swap was lost: the object is not what the writer had read."""


class FetchError(PublisherError):
    """The issuer could not be read as a relying party reads it."""
