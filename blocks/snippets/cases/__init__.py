"""The tests that stand in a snippet's file: read and checked, run in batch and as a stream, compared."""
