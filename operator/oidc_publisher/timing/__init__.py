"""Time as others state it."""
