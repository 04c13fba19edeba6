"""The catalog: which blocks there are, in which version."""
