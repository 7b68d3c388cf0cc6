"""How an API server is recognised: the TLS context of the operator's credentials."""

from __future__ import annotations

import ssl


def client_context(
    authority: str | None, certificate: str | None = None, key: str | None = None, *, verify: bool = True
) -> ssl.SSLContext:
    """A context that trusts the CA in the file `authority` (None: the system's) and presents a client certificate.

    Raises:
        OSError: a file is missing or is no PEM (ssl.SSLError is an OSError).
    """
    context = ssl.create_default_context(cafile=authority)
    if certificate:
        context.load_cert_chain(certificate, key)
    if authority:
        # The cluster's CA is trusted because the credentials name it. As kubectl does, take one without key usages
        # (Python 3.13 began to refuse those) and one that is itself issued by another.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
