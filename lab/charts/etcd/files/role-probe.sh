#!/bin/bash
# Prints leader, follower or learner without a newline, and nothing while there is no leader.
set -u
. /scripts/common.sh
leader=$(status_field Leader)
[ -n "$leader" ] && [ "$leader" != 0 ] || exit 0
if [ "$(status_field IsLearner)" = true ]; then
  printf learner
elif [ "$leader" = "$(status_field MemberID)" ]; then
  printf leader
else
  printf follower
fi
