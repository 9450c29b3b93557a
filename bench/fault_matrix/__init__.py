"""The fault matrix: each fault on real clusters, with a database that is written to from before it to after its end."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# What the tests look at and how they run playbooks is used here as it is.
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]
