"""The way to the public URL: the port, HTTPS, and an in-memory stand-in."""
