"""Provide clocks, delays between attempts, and the parser of HTTP dates."""
