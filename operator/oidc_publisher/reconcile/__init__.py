"""A pass over one issuer takes five steps in this order: read, plan, publish, prove, report."""
