"""Sessions of keys: how events are split into them, and what is told of each, in batch and in streams."""
