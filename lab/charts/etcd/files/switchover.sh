#!/bin/bash
set -eu
. /scripts/common.sh
leader=$(leader_endpoint)
candidate=${KB_SWITCHOVER_CANDIDATE_NAME:-}
while read -r name address; do
  [ -z "$candidate" ] || [ "$candidate" = "$name" ] || continue
  [ "http://$address:2379" != "$leader" ] || continue
  id=$(status_field MemberID "http://$address:2379")
  [ -n "$id" ] && exec etcdctl --endpoints="$leader" move-leader "$(printf %x "$id")"
done < <(members)
echo "no member to hand over to${candidate:+: $candidate does not answer or leads already}" >&2
exit 1
