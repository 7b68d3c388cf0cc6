"""What the operator tells about itself: logs and health."""
