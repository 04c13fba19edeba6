"""What all tests share: how hypothesis chooses its cases."""

import os

from hypothesis import settings

# The same cases every day, so that a change is judged by what it changed; `nox -s slow` draws new ones.
settings.register_profile("everyday", derandomize=True, deadline=None)
settings.register_profile("new", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("BLOCKS_HYPOTHESIS", "everyday"))
