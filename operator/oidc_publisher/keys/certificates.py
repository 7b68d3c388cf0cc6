"""Read X.509 certificates that somebody else issued, whatever is in them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

if TYPE_CHECKING:
    from cryptography import x509

#: What `read_certificate`, and the members of what it returns, raise for a certificate that OpenSSL reads: another version,
#: an algorithm without a name, and, in later versions of cryptography, a negative serial number. IndexError is an empty
#: chain.
UNREADABLE = (ValueError, IndexError, UnsupportedAlgorithm)


def read_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate in DER; raises one of UNREADABLE. That cryptography will refuse it one day is no news for a log."""
    # The signer reads keys and no certificate: x509 would be a tenth of its memory and of its start.
    from cryptography import x509  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            return x509.load_der_x509_certificate(der)
        except x509.InvalidVersion:
            raise ValueError("the certificate has an unknown version") from None
