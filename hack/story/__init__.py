"""The demo, told in nine steps on real parts: see telling.py, and supervisor.py for how it ends."""
