"""The status of an issuer: its summary, its ledger, the patch that writes it."""
