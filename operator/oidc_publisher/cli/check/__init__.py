"""The command `check`, which says before and after an installation what of it works and what is missing."""
