"""Last step: batches become tables."""
