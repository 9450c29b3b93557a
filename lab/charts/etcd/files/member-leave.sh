#!/bin/bash
# Asks the leaving member for its ID, as the public addon does: it cannot remove one that is dead.
set -eu
. /scripts/common.sh
address=$(address_of "$KB_LEAVE_MEMBER_POD_NAME" || echo "$KB_LEAVE_MEMBER_POD_FQDN")
id=$(status_field MemberID "http://$address:2379")
[ -n "$id" ] || { echo "$KB_LEAVE_MEMBER_POD_NAME does not answer" >&2; exit 1; }
etcdctl --endpoints="$(leader_endpoint)" member remove "$(printf %x "$id")"
