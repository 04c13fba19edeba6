"""The key of test masks, as `nox` sets it."""

import os

os.environ.setdefault("BLOCKS_MASK_KEY", "test-only key, 32 bytes or longer")
