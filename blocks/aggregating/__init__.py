"""Aggregations of events by key: one definition, the same bytes in batch, stream and backfill."""
