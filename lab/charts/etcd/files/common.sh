# Functions of the member's scripts. PEER_ENDPOINT lists all members, each as NAME or NAME:ADDRESS.

# address_of NAME: where this member is reached by the others.
address_of() {
  local item
  for item in ${PEER_ENDPOINT//,/ }; do
    if [ "${item%%:*}" = "$1" ]; then
      echo "${item#*:}"
      return 0
    fi
  done
  return 1
}

# members: NAME ADDRESS, a line each. The peer Services are used only if there is one for every replica.
members() {
  local item count=0
  for item in ${PEER_ENDPOINT//,/ }; do count=$((count + 1)); done
  if [ "$count" -eq "${COMPONENT_REPLICAS:-0}" ]; then
    for item in ${PEER_ENDPOINT//,/ }; do echo "${item%%:*} ${item#*:}"; done
  else
    for item in ${PEER_FQDNS//,/ }; do echo "${item%%.*} $item"; done
  fi
}

# status_field NAME [ENDPOINT]: one number of a member's own status.
status_field() {
  etcdctl --endpoints="${2:-http://127.0.0.1:2379}" endpoint status -w fields 2>/dev/null |
    sed -n "s/^\"$1\" : //p" | head -n 1
}

# leader_endpoint: the client URL of the present leader, found by asking every member.
leader_endpoint() {
  local name address id
  while read -r name address; do
    id=$(status_field MemberID "http://$address:2379")
    if [ -n "$id" ] && [ "$id" = "$(status_field Leader "http://$address:2379")" ]; then
      echo "http://$address:2379"
      return 0
    fi
  done < <(members)
  echo "no member of ${PEER_ENDPOINT:-$PEER_FQDNS} says that it leads" >&2
  return 1
}
