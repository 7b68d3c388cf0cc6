"""Run the command line for `python -m oidc_publisher`."""

from oidc_publisher.cli import main

main()
