"""Connect to the public endpoint: the port, its HTTPS implementation and its in-memory implementation."""
