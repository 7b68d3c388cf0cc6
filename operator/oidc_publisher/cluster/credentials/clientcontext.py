"""Build the TLS context of the operator's credentials, which verifies API servers."""

from __future__ import annotations

import ssl


def client_context(
    authority: str | None, certificate: str | None = None, key: str | None = None, *, verify: bool = True
) -> ssl.SSLContext:
    """Return a context that trusts the CA in the file `authority` (None: the system's) and has a client certificate.

    Raises:
        OSError: a file is missing or is no PEM (ssl.SSLError is an OSError).
    """
    context = ssl.create_default_context(cafile=authority)
    if certificate:
        context.load_cert_chain(certificate, key)
    if authority:
        # The cluster's CA is trusted because the credentials name it. As in kubectl, a CA without key usages is
        # accepted (Python 3.13 refuses these by default), and so is an intermediate CA.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
