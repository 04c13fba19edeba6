"""What `RunSql` is made of: parameters, the two engines, where data goes, and what `explain` says."""
