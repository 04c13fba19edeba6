"""A copy of a tree in which the nodes of the original can be found."""

from typing import Any

from sqlglot import exp

from blocks.sql.dialect.nodes import LOOSE, walk


class Copy:
    """A copy of a tree, made when a node of it is asked for first: most queries need none.

    Args:
      tree: is left as it is.

    Attributes:
      tree: the copy; the tree itself as long as there is none.
    """

    def __init__(self, tree: Any) -> None:
        self.tree = self._original = tree
        self._of: dict[int, Any] = {}

    def of(self, node: Any) -> Any:
        """The copy of a node of the original."""
        if not self._of:
            self.tree = self._original.copy()
            # Equal trees are walked in the same order.
            self._of = {id(old): new for old, new in zip(walk(self._original), walk(self.tree), strict=True)}
        return self._of[id(node)]

    def put(self, node: Any, instead: Any) -> Any:
        """Puts another node in the place of a node of the original, which stays the place in messages; gives it."""
        old = self.of(node)
        if not instead.meta.get("start"):
            instead._meta = dict(old.meta)
        if old is self.tree:
            self.tree = instead
        else:
            old.replace(instead)
        self._of[id(node)] = instead
        return instead

    def call(self, node: Any, name: str) -> None:
        """Puts an alias around the copy of a node of the original."""
        inner = self.of(node)
        alias = exp.Alias(alias=exp.Identifier(this=name, quoted=False))
        alias._meta = dict(inner.meta)
        inner.replace(alias)
        alias.set("this", inner)


def bare(node: Any) -> Any:
    """What an item of SELECT computes, without its alias."""
    return node.this if isinstance(node, exp.Alias) else node


def grouped(node: Any) -> Any:
    """A node that may stand below any operator."""
    return exp.Paren(this=node) if isinstance(node, (*LOOSE, exp.Case)) else node
