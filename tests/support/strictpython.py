"""Make any Python as strict with certificates as Python 3.13 is."""

from __future__ import annotations

import ssl
from typing import Any

import pytest


def be_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every TLS context that is made from now on begin with VERIFY_X509_STRICT.

    Python 3.13 does so in ssl.create_default_context(), and urllib3 does under Python 3.13 in the contexts that it
    makes. Here it holds for every context, whoever makes it.
    """
    make = ssl.SSLContext.__new__

    def strict(kind: type[ssl.SSLContext], *arguments: Any, **options: Any) -> ssl.SSLContext:
        context = make(kind, *arguments, **options)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl.SSLContext, "__new__", staticmethod(strict))
