"""Decide how strictly TLS contexts check certificate chains, so that every Python gives the same result.

Since Python 3.13 the contexts of ssl.create_default_context() and of urllib3 refuse chains that break RFC 5280
(VERIFY_X509_STRICT): CAs without a key usage or with basic constraints that are not critical, as plain `openssl` makes
them, and certificates without an authority key identifier. kubectl and nearly every relying party accept such chains.
Every TLS context of the operator is set by one of the two functions here.
"""

from __future__ import annotations

import ssl


def check_as_go_does(context: ssl.SSLContext) -> None:
    """Let a context accept chains that Go accepts: without key usages, and from an intermediate CA as the root.

    The signatures and the validity are verified as before. The name of the host has to be among the alternative names:
    Go, and every browser, ignores a host in the common name, which OpenSSL takes where there are no alternative names.
    """
    context.hostname_checks_common_name = False
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN


def check_as_strict_python_does(context: ssl.SSLContext) -> None:
    """Let a context refuse the chains that Python 3.13 and later refuse by default."""
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
