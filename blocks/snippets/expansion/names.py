"""URNs of blocks: `beam:schematransform:blocks:MaskColumns:v1`, the form that Beam's own schema transforms have.

The number is the major version: within it the same config and input give the same output, so a pipeline that names it
keeps its meaning when the library is updated.
"""

import re

from blocks.catalog.model import Catalog, Entry
from blocks.core.errors import CatalogError

_FORM = re.compile(r"beam:schematransform:blocks:([A-Za-z][A-Za-z0-9_]*):v(\d+)")


def urn_of(entry: Entry) -> str:
    """The URN of one version of a block."""
    return f"beam:schematransform:blocks:{entry.name}:v{entry.major}"


def entry_of(urn: str, catalog: Catalog) -> Entry:
    """The block of a URN.

    Raises:
      CatalogError: another form, no such block, or no such major version of it; with the nearest there is.
    """
    match = _FORM.fullmatch(urn)
    if match is None:
        fix = "write beam:schematransform:blocks:NAME:vMAJOR; discovery lists them"
        raise CatalogError(f"`{urn}` is not the URN of a block", where="the identifier", fix=fix)
    return catalog.block(match[1], int(match[2]))
