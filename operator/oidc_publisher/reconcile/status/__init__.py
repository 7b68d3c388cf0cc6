"""The status of an issuer consists of the summary and the ledger; a patch writes what changed."""
