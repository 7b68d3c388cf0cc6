"""Find the HTTP proxy that the operator's environment names. The probe does not use it, but names it in findings."""

from __future__ import annotations

import os
from urllib.request import proxy_bypass

#: The variables that curl, requests and botocore read for https URLs, in this order.
_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def proxy_variable(host: str) -> str | None:
    """Return the variable that names a proxy for https to `host` (or host:port).

    It is None without a proxy, and where NO_PROXY excludes the host. Where a proxy is named, the operator's network
    usually has no route to the host and often does not resolve its name, so that failures below HTTP are no defect of
    the issuer.
    """
    named = next((name for name in _VARIABLES if os.environ.get(name)), None)
    return named if named and not proxy_bypass(host) else None
