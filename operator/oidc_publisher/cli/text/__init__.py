"""What pages of text are made of: consoles, times, key IDs."""
