"""One file a contestant: `python -m benchmarks.contestants.NAME INPUT OUTPUT` does the work and prints nothing."""
