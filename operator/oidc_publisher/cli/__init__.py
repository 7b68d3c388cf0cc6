"""The command line: the operator (`run`), and the questions of an admin (`plan`, `status`, `wait`)."""

from oidc_publisher.cli.main import main

__all__ = ["main"]
