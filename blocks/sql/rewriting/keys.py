"""Keys of `hmac_sha256`: the policy's URI of the key that a query names, and the column's label as domain.

A query names a key and never holds one. The URI (`env:NAME`, `file:PATH`) is no secret either: the worker opens it.
With both written out, the code that SQL makes is the one that MaskColumns makes of the same column.
"""

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from blocks.core.errors import nearest
from blocks.sql.analysis import Analysis
from blocks.sql.dialect import function_name
from blocks.sql.lineage import Lineage
from blocks.sql.lineage.declassifying import domain_of
from blocks.sql.places import place_of
from blocks.sql.problems import SqlProblem, problem
from blocks.sql.rewriting.copying import Copy

KEYED = "hmac_sha256"


def is_keyed(analysis: Analysis) -> bool:
    """Whether a query calls a function that needs a key."""
    return any(call.function.name == KEYED for call in analysis.calls.values())


def with_keys(analysis: Analysis, keys: Mapping[str, str]) -> tuple[Any, list[SqlProblem]]:
    """A copy of the tree with domain and URI in every call, and what is wrong with the keys.

    Args:
      analysis: of the query.
      keys: name to URI, as the policy has them; empty without a policy, where the worker knows keys by their names.
    """
    copy, lineage, problems = Copy(analysis.tree), Lineage(analysis), list[SqlProblem]()
    for node in analysis.tree.find_all(exp.Anonymous):
        call = analysis.calls.get(id(node))
        if call is None or call.function.name != KEYED or function_name(node) == "":
            continue
        arguments = copy.of(node).expressions
        if len(arguments) == 2:
            arguments.append(exp.Literal.string(domain_of(lineage.leaves(node.expressions[0]))))
        key = node.expressions[1]
        if len(arguments) == 3 and isinstance(key, exp.Literal) and keys:
            if key.name in keys:
                arguments.append(exp.Literal.string(keys[key.name]))
            else:
                what, fix = f"no key `{key.name}` in the policy", nearest(key.name, keys)
                where = place_of(key)
                problems.append(problem(analysis.text, where, "privacy", what, fix, source=analysis.source))
        copy.of(node).set("expressions", arguments)
    return copy.tree, problems
