"""How well the checks of SQL agree with Beam's planner: a corpus, a generator of queries, a table of both verdicts.

    python -m blocks.testing.agreement --generated 2000 --seed 1

Here both verdicts are asked for every query: that of `blocks.check_sql`, which needs no JVM, and that of the planner in
the SQL service. `corpus` reads the written queries, `generating` makes others, `shrinking` makes a disagreement small.
"""
