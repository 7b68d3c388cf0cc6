"""Build the TLS context of the operator's credentials, which verifies API servers."""

from __future__ import annotations

import ssl

from oidc_publisher.chainchecks import check_as_go_does


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
    check_as_go_does(context)  # the system's CAs too: kubectl accepts a company's own among them
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
