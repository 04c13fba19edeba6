"""Functions written in SQL: a file a function, checked when it is read, and written out before a query runs.

header.py      the comments at the head of a file: name, signature, examples
macro.py       reads files and folders
bodies.py      the expression of a function for one overload, as a tree, with its own calls written out
checks.py      what an expression may not do, and whether its type is that of its signature
strictness.py  whether an expression is NULL when an argument is
inlining.py    writes the calls of a query out
"""
