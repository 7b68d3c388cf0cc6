"""Receive events of OIDCIssuers from kopf. No other package imports kopf, and nothing else of kopf is used."""

from __future__ import annotations

import sys


def _import_kopf_alone() -> None:
    """Import kopf without the kubernetes package, which it imports where it is installed.

    kopf wants two of its classes only, to make metadata and owner references for handlers, of which nothing here asks for any.
    The package costs 10 MiB, and an operator in a pod needs nothing of it; who needs a kubeconfig imports it all the same.
    This module is imported by the main thread alone, before there is any other one.
    """
    if "kubernetes" in sys.modules:
        return
    sys.modules["kubernetes"] = None  # type: ignore[assignment] # None makes an import fail, as documented
    try:
        import kopf  # noqa: F401, PLC0415
    finally:
        del sys.modules["kubernetes"]


_import_kopf_alone()
