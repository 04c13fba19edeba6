"""Nested records to flat columns, rows and child tables."""
