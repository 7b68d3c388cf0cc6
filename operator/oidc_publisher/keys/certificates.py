"""Read X.509 certificates that somebody else issued, whatever is in them."""

from __future__ import annotations

import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

#: What `read_certificate`, and the members of what it returns, raise for a certificate that OpenSSL reads: another version,
#: an algorithm without a name, and, in later versions of cryptography, a negative serial number. IndexError is an empty
#: chain.
UNREADABLE = (ValueError, IndexError, UnsupportedAlgorithm, x509.InvalidVersion)


def read_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate in DER; raises one of UNREADABLE. That cryptography will refuse it one day is no news for a log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_der_x509_certificate(der)
