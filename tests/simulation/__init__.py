"""The simulated world: a cluster, a bucket, a CDN, verifiers, and the program's own pass among them."""

import structlog

# Where nothing configures structlog, it prints all local values beside a traceback. Those of a simulated world take a minute,
# and a property that fails is run hundreds of times until its shortest history is found.
structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback
