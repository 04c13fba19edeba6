"""Functions that a query may call: Beam's own, the library's in Java, Scala and SQL, and those of a user's jar."""
