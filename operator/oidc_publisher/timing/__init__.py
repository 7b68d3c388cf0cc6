"""The clock, and how long to wait before trying again."""
