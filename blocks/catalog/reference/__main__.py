"""`python -m blocks.catalog.reference [--check]`."""

import sys

from blocks.catalog.reference import main

main(sys.argv[1:])
