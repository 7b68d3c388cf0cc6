"""`oidc-publisher reconcile`: it asks the operator for a pass now."""
