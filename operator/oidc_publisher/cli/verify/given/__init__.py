"""What a person gives `verify`: an issuer, options, a token; each refused with a sentence where it is something else."""
