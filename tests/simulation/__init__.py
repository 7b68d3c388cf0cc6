"""Simulate a cluster, a bucket, a CDN and verifiers around the program's own pass."""

import structlog

# Where nothing configures structlog, it prints all local values beside a traceback. Those of a simulated world take a minute,
# and a property that fails is run hundreds of times until its shortest history is found.
structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback
