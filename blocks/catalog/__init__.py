"""Reads `catalog.yaml`: the blocks, their versions and options, and the public names of the library."""
