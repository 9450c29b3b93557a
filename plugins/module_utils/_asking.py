# Private to this collection.
"""What a member's Pod is asked about the rest of the world: a command for Bash. ``_rules.views`` reads what it says."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._limited import LIMITED

# Everything at once, each with its own limit. etcd's own client speaks TLS and HTTP/2, so it also tells an API server
# that answers, in whatever words, from one that only accepts connections.
_SCRIPT = r"""
limits="--dial-timeout=2s --command-timeout=2s"
# Where clients have no way to a member, the port of its peers still answers, in whatever words.
talks() { exec 3<>"/dev/tcp/${1%:*}/${1##*:}" && printf 'GET /version HTTP/1.0\r\n\r\n' >&3 && read -r -n 1 <&3; }
peer() {
  limited 2 talks "${3##*/}" >/dev/null &
  etcdctl $limits --endpoints="$2" endpoint status >/dev/null 2>&1 || wait $! && echo "peer $1 yes" || echo "peer $1 no"
  wait
}
api() {
  case $(etcdctl $limits --endpoints="$2" --insecure-skip-tls-verify endpoint status 2>&1) in
    *"HTTP status code"*) echo "api $1 yes" ;;
    *) echo "api $1 no" ;;
  esac
}
reads() { etcdctl $limits get kubeblocks.multicluster/nothing >/dev/null 2>&1 && echo "read yes" || echo "read no"; }
active() {
  exec 3<>/dev/tcp/127.0.0.1/2379 && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3 &&
    exec grep ^etcd_network_active_peers <&3
}
for target in $APIS; do api "${target%%,*}" "${target#*,}" & done
reads &
limited 2 active &
# Each line: ID, started, name, peer URLs, client URLs, learner.
while IFS=, read -r id _ name peer url learner; do
  # Who was added and never started has no name, and still counts for the quorum.
  shown=${name// /}
  echo "member ${id// /} ${shown:-unstarted-${id// /}} ${learner// /} ${peer// /}"
  [ -z "$shown" ] || [ "$shown" = "$HOSTNAME" ] || peer "${name// /}" "${url// /}" "${peer// /}" &
done < <(etcdctl $limits member list --consistency=s 2>/dev/null)
wait
"""


def command(pod: str, apis: Mapping[str, str]) -> list[str]:
    """``apis``: context → address of its API server, for every context but the Pod's own."""
    words = " ".join(f"{context},{server}" for context, server in apis.items())
    return ["env", f"APIS={words}", f"HOSTNAME={pod}", "bash", "-c", LIMITED + _SCRIPT]
