"""The form of results: consoles and tables, times, key IDs, JSON and YAML."""
