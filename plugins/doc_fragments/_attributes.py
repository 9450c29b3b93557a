# Private to this collection.
"""What a module promises about check mode, diff and repetition."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would do, without writing anything.
    support: full
  idempotent:
    description: A second run right after the first changes nothing.
    support: full
"""

    # For modules that write.
    WRITES = r"""
options: {}
attributes:
  diff_mode:
    description: Returns what changes, or would change, when in diff mode.
    support: full
"""

    # For modules that only read.
    INFO = r"""
options: {}
attributes:
  diff_mode:
    description: Returns what changes, or would change, when in diff mode.
    support: N/A
    details: It changes nothing.
"""
