"""The text of every error, as its user sees it: pairs of a query and its message in tests/fixtures/sql/errors.

`python -m tests.sql.test_error_texts` writes the messages anew; look at the difference before it is committed.
"""

import re
from pathlib import Path

import pytest

from blocks.sql.checking import check_sql
from blocks.sql.problems import SqlCheckError
from tests.sql.inputs import inputs

FOLDER = Path(__file__).parent.parent / "fixtures" / "sql" / "errors"
QUERIES = sorted(FOLDER.glob("*.sql"))


def message(path: Path) -> str:
    """What `check_sql` says of a query; a first line of `-- strict` or `-- unbounded: a, b` sets how it is checked."""
    text = path.read_text(encoding="utf-8")
    endless = re.match(r"-- unbounded: (.+)\n", text)
    names = endless[1].split(", ") if endless else ()
    try:
        checked = check_sql(text, inputs(names), strict=text.startswith("-- strict\n"), source=path.name)
    except SqlCheckError as error:
        return f"{error}\n"
    return "".join(f"{warning}\n" for warning in checked.warnings) or "no error\n"


@pytest.mark.parametrize("path", QUERIES, ids=[path.stem for path in QUERIES])
def test_the_message_is_the_recorded_one(path: Path) -> None:
    assert message(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_query_of_the_folder_has_an_error() -> None:
    told = {path.stem: message(path) for path in QUERIES}
    assert [name for name, text in told.items() if text == "no error\n"] == []


def test_no_message_shows_a_text_of_the_query_where_a_name_is_meant() -> None:
    first = message(FOLDER / "syntax_private_text_is_not_shown.sql").splitlines()[0]
    assert "anna@example.com" not in first


if __name__ == "__main__":
    for one in QUERIES:
        one.with_suffix(".txt").write_text(message(one), encoding="utf-8")
