"""The ring as a table for people."""

from __future__ import annotations

from datetime import datetime
from typing import TextIO

from rich.console import RenderableType

from oidc_publisher.cli.keys.ringpage import RingPage
from oidc_publisher.cli.text.console import caveat, coloured, console_for, plain, print_sections, table_of, when


def print_ring(page: RingPage, now: datetime, stream: TextIO, *, no_color: bool) -> None:
    """Print the versions, and below them what is not as it should be, or is still to come."""
    table = table_of("VERSION", "STATE", "SIGNERS", "SINCE", "ALGORITHM", "KID")
    for key in page.keys:
        state = coloured(key.state).append(" (imported)" if key.imported else "", "dim")
        since = when(key.signing_since_time or key.created_time, now)
        signers = plain(", ".join(key.signers) or "-")
        table.add_row(plain(key.version), state, signers, since, plain(key.algorithm), plain(key.key_id))
    sections: list[RenderableType] = [table]
    if page.waiting_for:
        sections.append(plain(f"Waiting for {page.waiting_for}."))
    if page.next_rotation_time:
        sections.append(plain("The next version is made at ").append_text(when(page.next_rotation_time, now)))
    if page.ready != "True":
        sections.append(caveat(f"The ring is not Ready: {page.reason}."))
    print_sections(sections, console_for(stream, no_color=no_color))
