#!/bin/bash
set -eu
. /scripts/common.sh
leader=$(leader_endpoint)
address=$(address_of "$KB_JOIN_MEMBER_POD_NAME" || echo "$KB_JOIN_MEMBER_POD_FQDN")
etcdctl --endpoints="$leader" member add "$KB_JOIN_MEMBER_POD_NAME" --peer-urls="http://$address:2380"
