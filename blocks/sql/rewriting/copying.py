"""A copy of a tree in which the nodes of the original can be found."""

from typing import Any

from sqlglot import exp


class Copy:
    """A copy of a tree.

    Args:
      tree: is left as it is.

    Attributes:
      tree: the copy.
    """

    def __init__(self, tree: Any) -> None:
        self.tree = tree.copy()
        # Equal trees are walked in the same order.
        self._of = {id(old): new for old, new in zip(tree.walk(), self.tree.walk(), strict=True)}

    def of(self, node: Any) -> Any:
        """The copy of a node of the original."""
        return self._of[id(node)]

    def put(self, node: Any, instead: Any) -> Any:
        """Puts another node in the place of a node of the original, which stays the place in messages; gives it."""
        old = self._of[id(node)]
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
    loose = isinstance(node, exp.Binary | exp.Not | exp.Neg | exp.Between | exp.In | exp.Is | exp.Case)
    return exp.Paren(this=node) if loose else node
