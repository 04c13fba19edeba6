"""Pipelines in YAML: checked, and run by Beam YAML's engine room."""
