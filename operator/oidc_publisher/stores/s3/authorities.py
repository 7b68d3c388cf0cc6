"""Load the certificate authorities that a store's client trusts: the machine's and those of the OIDCIssuer."""

from __future__ import annotations

import ssl
from pathlib import Path

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason

# The files in which distributions keep all roots, for Pythons whose OpenSSL was built with other paths.
_SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Alpine, distroless
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, RHEL
    Path("/etc/ssl/ca-bundle.pem"),  # SUSE
    Path("/etc/ssl/cert.pem"),  # macOS, BSD
)


def system_roots() -> str | None:
    """Return the file of the machine's roots, None where there is no such file."""
    named = ssl.get_default_verify_paths().cafile  # honours SSL_CERT_FILE; None unless it is a file
    return named or next((str(path) for path in _SYSTEM_BUNDLES if path.is_file()), None)


def trust(context: ssl.SSLContext, roots: str, extra_pem: str | None) -> None:
    """Let `context` trust the certificates of the file `roots`, and those of `extra_pem`.

    Raises StoreError when the file cannot be read, or when the file or the PEM text holds no certificate.
    """
    try:
        context.load_verify_locations(cafile=roots)
    except OSError as error:  # ssl.SSLError is one
        raise StoreError(
            Reason.StoreUnavailable,
            f"The file of certificate authorities {roots} cannot be read: {_reason(error)}",
            hint="Correct AWS_CA_BUNDLE (or ca_bundle in the AWS configuration) of the operator, or mount the file.",
            retryable=True,
        ) from error
    try:
        if extra_pem is not None:
            context.load_verify_locations(cadata=extra_pem)
    except (ssl.SSLError, ValueError) as error:
        raise StoreError(
            Reason.SpecUnsupported,
            "The store's certificateAuthority holds no readable certificate",
            hint="Put whole PEM certificates there, from BEGIN CERTIFICATE to END CERTIFICATE.",
        ) from error


def _reason(error: OSError) -> str:
    return "it holds no certificate" if isinstance(error, ssl.SSLError) else str(error.strerror)
