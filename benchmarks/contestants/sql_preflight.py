"""The check of every query of the corpus, once, after imports. `... sql_preflight OUT`."""

import time
from pathlib import Path

from benchmarks.contestants.sql_work import Figures, options
from blocks.sql.checking import check_sql
from blocks.sql.problems import SqlCheckError
from blocks.testing.agreement.corpus import read_corpus, read_tables

CORPUS = Path(__file__).parents[2] / "tests" / "fixtures" / "sql" / "corpus"


def main() -> None:
    given, figures = options(), Figures()
    tables = read_tables(CORPUS)
    for case in read_corpus(CORPUS):
        schemas = {name: tables[name] for name in case.tables}
        start = time.perf_counter()
        try:
            check_sql(case.query, schemas)
            outcome = "accepted"
        except SqlCheckError:
            outcome = "refused"
        figures.add(outcome, time.perf_counter() - start)
    figures.write(given.out)


if __name__ == "__main__":
    main()
