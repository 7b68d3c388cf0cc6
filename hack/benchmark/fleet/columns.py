"""The words by which the picture finds the chapter about fleets and the columns of its table."""

TITLE = "A fleet"
ISSUERS, CPU, MEMORY, START, AGAIN = "issuers", "CPU, %", "memory, MiB", "start, s", "start again, s"
CHANGE, LATE = "key → URL, p99, s", "lateness, p99, s"
HEAD = (
    ISSUERS, CPU, "CPU of a pass, ms", MEMORY, START, AGAIN, "API requests/s", "busiest second", "store calls/s",
    "public reads/s", LATE, CHANGE, "key of all → last URL, s", "longest turn, ms",
)  # fmt: skip
