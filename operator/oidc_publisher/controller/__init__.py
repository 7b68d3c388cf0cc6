"""Run the operator: kopf delivers events, the queue decides when, and reconcile runs the five steps of a pass."""
