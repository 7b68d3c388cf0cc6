"""The HTTP proxy that the operator's environment names, which the probe does not use."""

from __future__ import annotations

import os
from urllib.request import proxy_bypass

#: As curl, requests and botocore read them for https URLs, in this order.
_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def proxy_variable(host: str) -> str | None:
    """The variable that names a proxy for https to `host` (or host:port); None without one, and where NO_PROXY excludes the host.

    Where there is one, the operator's own network hardly has a way to the host, and often no name for it: what fails
    below HTTP is then no fault of the issuer.
    """
    named = next((name for name in _VARIABLES if os.environ.get(name)), None)
    return named if named and not proxy_bypass(host) else None
