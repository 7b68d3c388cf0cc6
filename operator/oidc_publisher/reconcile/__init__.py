"""One pass over one issuer: read, plan, publish, prove, report, in this order."""
