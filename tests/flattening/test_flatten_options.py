"""Options of FlattenRecords are checked when the block is made, all at once."""

import pickle
from typing import Any

import pytest

from blocks.core.errors import ConfigError
from blocks.flattening.records import FlattenRecords


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"explode": 5}, "expected a path or a list of paths, got a int"),
        ({"explode": [["a", 5]]}, "expected a path or a list of paths, got a list"),
        ({"explode": ["a", "a"]}, "`a` stands more than once"),
        ({"explode": "a", "outer": "b"}, "`b` is not exploded"),
        ({"outer": 1}, "expected a path or a list of paths, got a int"),
        ({"separator": None}, "expected text, got nothing"),
        ({"tables": "yes"}, "expected true or false, got a str"),
        ({"row_id": ""}, "expected a column name, got an empty text"),
        ({"position": True}, "expected a column name, got a bool"),
        ({"map_keys": ["a"]}, "expected a mapping of path to keys, got a list"),
        ({"map_keys": {"a": "k"}}, "expected a list of keys, text or whole numbers"),
        ({"map_keys": {"a": ["k", "k"]}}, "a key stands more than once"),
        ({"map_keys": {"a": ["k"]}, "explode": "a"}, "`a` is to become columns and, by `explode`, rows"),
        ({"key": "a"}, "`key` is given and `row_id` is not"),
        ({"repeat": ["a"]}, "`repeat` is for child tables"),
        ({"parent_id": "p"}, "`parent_id` is for child tables"),
        ({"tables": True, "outer": False}, "child tables hold items only, and the main table keeps every row"),
        (
            {"tables": True, "explode": [["a", "b"]]},
            "`a` and `b` are to be exploded side by side, and child tables take one list each",
        ),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError) as error:
        FlattenRecords(**options)
    assert what in [problem.what for problem in error.value.problems]
    assert all(problem.where and problem.fix for problem in error.value.problems)


def test_all_problems_of_all_options_come_in_one_error() -> None:
    with pytest.raises(ConfigError) as error:
        FlattenRecords(explode=5, separator=3, tables="x", row_id=7, map_keys=[], repeat="a")  # type: ignore[arg-type]
    assert len(error.value.problems) == 6


def test_the_block_pickles_with_its_options() -> None:
    block = FlattenRecords(explode=["a", ["b", "c"]], map_keys={"m": ["k"]}, outer="b", row_id="id", key="x")
    assert pickle.loads(pickle.dumps(block)).options == block.options
