"""The fault matrix: each fault on real clusters, with a database that is written to from before it to after its end."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
