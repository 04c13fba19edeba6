"""Pipelines in YAML: read and checked here, built and run by Beam YAML."""
