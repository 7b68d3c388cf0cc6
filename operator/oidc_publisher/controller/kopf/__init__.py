"""kopf enters here alone: events of OIDCIssuers come in, and nothing else."""
