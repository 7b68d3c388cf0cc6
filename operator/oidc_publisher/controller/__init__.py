"""The operator: kopf hands in events, the queue decides when, the reconcile does the five steps."""
