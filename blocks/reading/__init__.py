"""First step: files and messages become batches of a known schema."""
