"""`oidc-publisher suspend`: it sets spec.suspend, and `resume` takes it back."""
