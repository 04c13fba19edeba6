"""What the parser raises: one mistake, at one place of the text."""


class QueryFailure(Exception):  # noqa: N818 -- never seen by users, who get a SqlCheckError
    """A text that is no query of this dialect.

    Attributes:
      what: is wrong.
      fix: what to write instead.
      start: offset of the first character of the place.
      end: offset of the last one.
      code: of `blocks.sql.codes.CODES`.
    """

    def __init__(self, what: str, fix: str, start: int, end: int, code: str = "syntax") -> None:
        super().__init__(what)
        self.what, self.fix, self.start, self.end, self.code = what, fix, start, end, code
