"""Second step: labelled columns are masked for where they go."""
