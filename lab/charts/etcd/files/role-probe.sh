#!/bin/bash
# Prints leader, follower or learner without a newline, and nothing while there is no leader. It runs every few seconds in
# every member, so it asks once and starts nothing else.
set -u
status=$(etcdctl --endpoints=http://127.0.0.1:2379 endpoint status -w fields 2>/dev/null)
read_field() { [[ $status =~ \"$1\"\ :\ ([a-z0-9]+) ]] && field=${BASH_REMATCH[1]}; }

read_field Leader && [ "$field" != 0 ] || exit 0
leader=$field
if read_field IsLearner && [ "$field" = true ]; then
  printf learner
elif read_field MemberID && [ "$field" = "$leader" ]; then
  printf leader
else
  printf follower
fi
