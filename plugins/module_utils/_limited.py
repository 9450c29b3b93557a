# Private to this collection.
"""A limit of time for what Bash runs in somebody else's container."""

from __future__ import annotations

# Programs that limit others leave a process to the first one of the container, as busybox's timeout does with its
# watcher, and a database's first process reaps nobody: it would stay a zombie. Here all are Bash's own and waited for.
LIMITED = r"""
exec 9<> <(:) # open, and never with anything to read
# limited SECONDS COMMAND...: its status, or that of its end by a signal. Its errors are not shown.
limited() {
  local job alarm status
  "${@:2}" &
  job=$!
  { read -r -t "$1" -u 9; kill "$job"; } &
  alarm=$!
  wait "$job"
  status=$?
  kill "$alarm"
  wait "$alarm"
  return "$status"
} 2>/dev/null
"""
