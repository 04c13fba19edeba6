"""Beam SQL: queries that are checked before anything runs, with the library's own functions."""
