"""Blocks that shape batches: choose, rename, cast and compute columns; filter, check, join, sample and split rows."""
