# Private to this collection.
"""How long it takes to open a connection from inside a cluster, in Bash alone: as a script, and what it printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._limited import LIMITED

SCRIPT = (
    LIMITED
    + r"""
# A connection is opened and closed, and nothing else is in the time between.
times() {
  local line=$1
  for ((try = 0; try < TRIES; try++)); do
    began=${EPOCHREALTIME//[!0-9]/}
    true 3<>"/dev/tcp/$2/$3" || break
    line+=" $(( ${EPOCHREALTIME//[!0-9]/} - began ))"
  done
  echo "$line"
}
for target in $TARGETS; do
  IFS=, read -r name host port <<< "$target"
  limited "$LIMIT" times "$name" "$host" "$port" &
done
wait
"""
)
# For a Pod that has nothing to say but this.
TO_TERMINATION_LOG = f"{{ {SCRIPT} }} > /dev/termination-log"


def environment(targets: Mapping[str, tuple[str, str]], *, tries: int = 5, limit: int = 4) -> dict[str, str]:
    """``targets``: a name without blanks → host and port. ``limit``: seconds for all tries of one target."""
    words = " ".join(f"{name},{host},{port}" for name, (host, port) in targets.items())
    return {"TARGETS": words, "TRIES": str(tries), "LIMIT": str(limit)}


def times_of(text: str, names: Sequence[str]) -> dict[str, list[float]]:
    """Lines ``name microseconds…`` → milliseconds of each try; none for a name that is not there."""
    lines = {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}
    tries = {name: [word for word in lines.get(name, []) if word.isdigit()] for name in names}
    return {name: [int(word) / 1000 for word in words] for name, words in tries.items()}
