"""Looking below an error of a cloud's client for what the system said."""

from __future__ import annotations

import ssl
from typing import TypeVar

#: X509_V_ERR_* of OpenSSL (x509_vfy.h): the chain is trusted all the same.
_NOT_NOW, _OTHER_NAME = frozenset({9, 10}), frozenset({62, 64})

E = TypeVar("E", bound=BaseException)


def cause(error: BaseException, kind: type[E]) -> E | None:
    """The first error of `kind` among the causes, which urllib3, requests and botocore each nest in their own way."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        candidate = waiting.pop(0)
        if not isinstance(candidate, BaseException) or id(candidate) in seen:
            continue
        if isinstance(candidate, kind):
            return candidate
        seen.add(id(candidate))
        nested = (getattr(candidate, "kwargs", {}).get("error"), getattr(candidate, "reason", None))
        waiting += [*nested, candidate.__cause__, candidate.__context__, *candidate.args]
    return None


def certificate_advice(refused: ssl.SSLCertVerificationError, *, name: str, authority: str) -> str:
    """What to do about a refused certificate: `name` where it has another one, `authority` where nobody trusts it."""
    if refused.verify_code in _OTHER_NAME:
        return name
    return "Renew the certificate, or mend the clock that is wrong." if refused.verify_code in _NOT_NOW else authority
