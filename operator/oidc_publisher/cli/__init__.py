"""The command line: `oidc-publisher run`, and what an admin asks from a terminal."""

from oidc_publisher.cli.main import main

__all__ = ["main"]
