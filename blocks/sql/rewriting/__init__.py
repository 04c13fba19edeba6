"""What Beam's planner refuses and every user writes, written anew; the rules are in the order of their use.

    before names are resolved    `early(parsed, known)`: functions of other systems (functions.py)
    after                        `rewrite(analysis)`: what the reader and the resolver have noted in `tolerated`

Most of what the reader tolerates (`!=`, `::`, `%`, a trailing `;`, reserved words, `TEXT`) means what Beam SQL writes
in another way: the tree has it already, and the generator writes it. Such a rule has no function. In strict mode
nothing of this is done: each is a problem of its own (`blocks.sql.dialect.TOLERATED`).
"""

from blocks.sql.rewriting.apply import RULES, Rewritten, rewrite
from blocks.sql.rewriting.functions import FUNCTIONS, early

__all__ = ["FUNCTIONS", "RULES", "Rewritten", "early", "rewrite"]
